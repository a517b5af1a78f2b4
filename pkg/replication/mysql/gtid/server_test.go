// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gtid

import (
	"database/sql"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	mysqlengine "github.com/upmio/unit-operator/pkg/agent/engine/mysql"
)

func TestMain(m *testing.M) { enginetest.Main(m, mysqlengine.New) }

// TestArithmeticOfAServer compares with GTID_SUBSET and GTID_SUBTRACT.
func TestArithmeticOfAServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		box.Secret(t, "root", "p")
		e := mysqlengine.New(box.Env(t))
		config := "[mysqld]\ngtid-mode=ON\nenforce-gtid-consistency=ON\nlog-bin=binlog\nserver-id=1\ninnodb-buffer-pool-size=32M\n"
		start := engine.Start{Files: map[string][]byte{"my.cnf": []byte(config)}, ConfigHash: "h"}
		box.Initialize(t, e, start)
		box.Start(t, e, start)
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.TLSConfig, c.InterpolateParams = "root", "p", "tcp", "127.0.0.1:3306", "skip-verify", true
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		seed := uint64(time.Now().UnixNano())
		rng := rand.New(rand.NewPCG(seed, 0))
		t.Logf("seed %d", seed)
		for range 2000 {
			x, y := randomText(rng), randomText(rng)
			var subset bool
			var left, canonical string
			if err := db.QueryRow("SELECT GTID_SUBSET(?, ?), GTID_SUBTRACT(?, ?), GTID_SUBTRACT(?, '')", y, x, x, y, x).Scan(&subset, &left, &canonical); err != nil {
				t.Fatalf("%q, %q: %v", x, y, err)
			}
			sx, sy := MustParse(x), MustParse(y)
			oneLine := strings.NewReplacer("\n", "")
			switch {
			case sx.Contains(sy) != subset:
				t.Errorf("seed %d: %q contains %q: %v, the server says %v", seed, x, y, !subset, subset)
			case sx.Subtract(sy).String() != oneLine.Replace(left):
				t.Errorf("seed %d: %q without %q is %v, the server says %s", seed, x, y, sx.Subtract(sy), left)
			case sx.String() != oneLine.Replace(canonical):
				t.Errorf("seed %d: %q is %v, the server says %s", seed, x, sx, canonical)
			}
		}
		for _, text := range []string{
			a + ":5-3", a + " : 1 - 5 : 7 ", ",," + a + ":1,,", a + ":9223372036854775806", a + ":1-9223372036854775806", a + ":T:1:t:2",
			a + ":0", a + ":9223372036854775807", a + ":", a, a + ":1:", a + "::1", a + ":1-", a + ":tag", a + ":tag:tag2:1", a + ":1 " + b + ":1",
			a + ":" + strings.Repeat("t", 32) + ":1", a + ":" + strings.Repeat("t", 33) + ":1", "ANONYMOUS", " ", a + ":1-2-3",
		} {
			var canonical string
			err := db.QueryRow("SELECT GTID_SUBTRACT(?, '')", text).Scan(&canonical)
			s, parseErr := Parse(text)
			switch {
			case (err == nil) != (parseErr == nil):
				t.Errorf("%q: the server says %v, we say %v", text, err, parseErr)
			case err == nil && s.String() != strings.ReplaceAll(canonical, "\n", ""):
				t.Errorf("%q is %v, the server says %s", text, s, canonical)
			}
		}
	})
}
