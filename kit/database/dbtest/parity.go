package dbtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jishi/kit/database"
)

// Parity fails unless the same migrations make the same schema everywhere: tables,
// columns in their order, which of them may be NULL, indexes with their names, columns
// and uniqueness. Types differ and aren't compared.
func Parity(t *testing.T, setup ...Setup) {
	t.Helper()
	lite := schema(t, Open(t, SQLite(t), setup...), sqliteColumns, sqliteIndexes)
	servers := map[string]func(testing.TB) string{"mariadb": MariaDB}
	if wantsTiDB() {
		servers["tidb"] = TiDB
	}
	for name, url := range servers {
		t.Run(name, func(t *testing.T) {
			theirs := schema(t, Open(t, url(t), setup...), mysqlColumns, mysqlIndexes)
			if diff := cmp.Diff(lite, theirs); diff != "" {
				t.Errorf("schemas differ (-sqlite +%s):\n%s", name, diff)
			}
		})
	}
}

// The system tables' queries. Primary keys are compared as the index PRIMARY.
const (
	sqliteColumns = `SELECT m.name AS tbl, c.name AS name, (c."notnull" = 0 AND c.pk = 0) AS nullable
		FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`
	sqliteIndexes = `SELECT m.name AS tbl, i.name AS name, c.name AS col, i."unique" AS uniq
		FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND i.origin <> 'pk'
		UNION ALL
		SELECT tbl, name, col, uniq FROM (
			SELECT m.name AS tbl, 'PRIMARY' AS name, c.name AS col, 1 AS uniq
			FROM sqlite_master m JOIN pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.pk > 0 ORDER BY m.name, c.pk)`
	mysqlColumns = `SELECT table_name AS tbl, column_name AS name, is_nullable = 'YES' AS nullable
		FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`
	mysqlIndexes = `SELECT table_name AS tbl, index_name AS name, column_name AS col, non_unique = 0 AS uniq
		FROM information_schema.statistics WHERE table_schema = DATABASE()
		ORDER BY table_name, index_name, seq_in_index`
)

// schema lists, by table, what it consists of.
func schema(t *testing.T, db *database.DB, columnQuery, indexQuery string) map[string][]string {
	t.Helper()
	var columns []struct {
		Tbl, Name string
		Nullable  bool
	}
	var indexes []struct {
		Tbl, Name, Col string
		Uniq           bool
	}
	q := db.NewSelect().DB()
	if err := q.NewRaw(columnQuery).Scan(t.Context(), &columns); err != nil {
		t.Fatalf("columns: %v", err)
	}
	if err := q.NewRaw(indexQuery).Scan(t.Context(), &indexes); err != nil {
		t.Fatalf("indexes: %v", err)
	}
	tables := map[string][]string{}
	for _, c := range columns {
		null := "NOT NULL"
		if c.Nullable {
			null = "NULL"
		}
		tables[c.Tbl] = append(tables[c.Tbl], c.Name+" "+null)
	}
	type index struct{ table, name string }
	keys := map[index][]string{}
	unique := map[index]bool{}
	for _, i := range indexes {
		k := index{i.Tbl, i.Name}
		keys[k] = append(keys[k], i.Col)
		unique[k] = i.Uniq
	}
	sorted := slices.SortedFunc(maps.Keys(keys), func(a, b index) int {
		return strings.Compare(a.table+" "+a.name, b.table+" "+b.name)
	})
	for _, k := range sorted {
		what := "index"
		if unique[k] {
			what = "unique"
		}
		tables[k.table] = append(tables[k.table], fmt.Sprintf("%s %s (%s)", what, k.name, strings.Join(keys[k], ", ")))
	}
	maps.DeleteFunc(tables, func(name string, _ []string) bool { return strings.HasSuffix(name, "_migrations") })
	return tables
}
