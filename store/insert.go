package store

import (
	"context"
	"database/sql"
	"strings"
)

// rowsPerInsert rows go into one statement: a fifth less work than one row each, and no more is gained beyond.
const rowsPerInsert = 16

// inserter collects rows of one table and writes them a few at a time, in their order.
type inserter struct {
	one, many *sql.Stmt
	width     int
	args      []any
}

// newInserter prepares "INSERT INTO table VALUES (width times ?) suffix".
func newInserter(ctx context.Context, conn *sql.Conn, table string, width int, suffix string) (*inserter, error) {
	row := "(" + strings.Repeat("?,", width-1) + "?)"
	head := "INSERT INTO " + table + " VALUES " + row
	one, err := conn.PrepareContext(ctx, head+suffix)
	if err != nil {
		return nil, err
	}
	many, err := conn.PrepareContext(ctx, head+strings.Repeat(","+row, rowsPerInsert-1)+suffix)
	if err != nil {
		one.Close()
		return nil, err
	}
	return &inserter{one: one, many: many, width: width, args: make([]any, 0, width*rowsPerInsert)}, nil
}

// add takes one row. Integers should be int64, which needs no conversion.
func (i *inserter) add(row ...any) error {
	i.args = append(i.args, row...)
	if len(i.args) < i.width*rowsPerInsert {
		return nil
	}
	_, err := i.many.Exec(i.args...)
	i.args = i.args[:0]
	return err
}

// flush writes what was collected.
func (i *inserter) flush() error {
	for rest := i.args; len(rest) > 0; rest = rest[i.width:] {
		if _, err := i.one.Exec(rest[:i.width]...); err != nil {
			return err
		}
	}
	i.args = i.args[:0]
	return nil
}

func (i *inserter) close() {
	i.one.Close()
	i.many.Close()
}
