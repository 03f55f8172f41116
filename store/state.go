package store

import (
	"context"
	"database/sql"

	"osm"
)

// LoadState calls fn for each saved blob whose key begins with prefix, in the order of keys. fn may keep the blob, and
// must not call the store. A Reader of some accounts alone has none.
func (r *Reader) LoadState(ctx context.Context, prefix string, fn func(key string, blob []byte) error) error {
	if r.within != nil {
		return nil // what was learned is about everybody
	}
	var stopped error
	err := r.view(ctx, "read", func(v *view) error {
		rows, err := v.conn.QueryContext(ctx, `SELECT key, value FROM state
			WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 ORDER BY key`, prefix)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			var blob []byte
			if err := rows.Scan(&key, &blob); err != nil {
				return err
			}
			if stopped = fn(key, blob); stopped != nil {
				return nil
			}
		}
		return rows.Err()
	})
	if stopped != nil {
		return stopped
	}
	return err
}

// SavedPositions are those of the writer's last successful flush: how far the logs have been read.
func (r *Reader) SavedPositions(ctx context.Context) (all []osm.Position, err error) {
	err = r.view(ctx, "read", func(v *view) error {
		all, err = positions(ctx, v.conn)
		return err
	})
	return all, err
}

func positions(ctx context.Context, conn *sql.Conn) ([]osm.Position, error) {
	rows, err := conn.QueryContext(ctx, `SELECT path, device, inode, offset, fingerprint, hashed, modified
		FROM position ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []osm.Position
	for rows.Next() {
		var p osm.Position
		var device, inode, fingerprint int64 // SQLite's integers have a sign
		if err := rows.Scan(&p.Path, &device, &inode, &p.Offset, &fingerprint, &p.Hashed, &p.Modified); err != nil {
			return nil, err
		}
		p.Device, p.Inode, p.Fingerprint = uint64(device), uint64(inode), uint64(fingerprint)
		all = append(all, p)
	}
	return all, rows.Err()
}
