package store

import "context"

// LoadState calls fn for each saved blob whose key begins with prefix, in the order of keys. fn may keep the blob, and
// must not call the store.
func (r *Reader) LoadState(ctx context.Context, prefix string, fn func(key string, blob []byte) error) error {
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
