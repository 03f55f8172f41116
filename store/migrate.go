package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migration/*.sql
var migrations embed.FS

// applicationID marks our files ("osm1" in ASCII), so that another program's database is not written into.
const applicationID = 0x6f736d31

// migration is one file of the folder. Those named *_day.sql are carried out for the tables of every day, and again for
// each new day: so old and new days are alike.
type migration struct {
	name, text string
	daily      bool
}

// loadMigrations reads a folder in the order of its names.
func loadMigrations(folder fs.FS) ([]migration, error) {
	names, err := fs.Glob(folder, "migration/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{name, string(text), strings.HasSuffix(name, "_day.sql")})
	}
	return all, nil
}

// migrate brings the schema up to date, each file in a transaction of its own together with the new version number.
func migrate(ctx context.Context, conn *sql.Conn, all []migration) error {
	var version, application, tables int
	err := conn.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master)`).
		Scan(&version, &application, &tables)
	switch {
	case err != nil:
		return err
	case tables > 0 && application != applicationID:
		return ErrForeign
	case version > len(all):
		return fmt.Errorf("schema %d, this osm knows %d: %w", version, len(all), ErrNewer)
	}
	for i, m := range all[version:] {
		if err := m.apply(ctx, conn, version+i+1); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (m migration) apply(ctx context.Context, conn *sql.Conn, version int) error {
	return transaction(ctx, conn, func() error {
		statements := []string{m.text}
		if m.daily {
			days, err := listDays(ctx, conn)
			if err != nil {
				return err
			}
			statements = statements[:0]
			for _, d := range days {
				statements = append(statements, m.forDay(d))
			}
		}
		statements = append(statements, fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", version,
			applicationID))
		return execAll(ctx, conn, statements...)
	})
}

func (m migration) forDay(d day) string { return strings.ReplaceAll(m.text, "DAY", d.String()) }

// transaction runs fn between BEGIN IMMEDIATE and COMMIT; after an error nothing of it remains.
func transaction(ctx context.Context, conn *sql.Conn, fn func() error) error {
	if err := execAll(ctx, conn, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = execAll(ctx, conn, "COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself (full disk), then this fails and that is well.
		_, _ = conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

func execAll(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
