// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/backup/cli"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestAChainOfTheLogIsRecoveredByHandAsTheDocumentationSays(t *testing.T) {
	eachWithWAL(t, func(t *testing.T, p *pod) {
		p.fill()
		key := strings.Repeat("k", 32)
		c := &chainOf{p: p, dir: t.TempDir(), key: map[string][]byte{"encryption.key": []byte(key)}}
		names := []string{c.take(operation.Full).Name()}
		var sum, source, end string
		for range 2 {
			p.work()
			sum = p.checksum("app", "deep.t")
			m := c.take(operation.Incremental)
			names, source, end = append(names, m.Name()), m.Location().String(), m.StopLSN
		}

		dir := t.TempDir()
		keyFile, unpacked, data := filepath.Join(dir, "key"), filepath.Join(dir, "restore"), filepath.Join(dir, "data")
		if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		command := cli.Command(cli.Engines{})
		command.SetArgs([]string{"restore", source, "--key-file", keyFile, "--to", unpacked})
		var out bytes.Buffer
		command.SetOut(&out)
		if err := command.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err, out.String())
		}
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			args := []string{"-C", data, "-xf", filepath.Join(unpacked, name, "base.tar")}
			if i > 0 {
				args = []string{"-C", filepath.Join(data, "pg_wal"), "-xf", filepath.Join(unpacked, name, "wal.tar")}
			}
			if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		if err := os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		conn := p.byHand(data, dir)
		var at, got string
		if err := conn.QueryRow(t.Context(), "SELECT pg_last_wal_replay_lsn()::text, ("+checksumOf("deep.t")+")").Scan(&at, &got); err != nil {
			t.Fatal(err)
		}
		if at != end || got != sum {
			t.Errorf("recovered to %s with %s, want %s with %s", at, got, end, sum)
		}
	})
}

// byHand starts a server as a person would, with its socket in dir, and returns a
// connection to the database app once it is recovered.
func (p *pod) byHand(data, dir string) *pgx.Conn {
	t := p.t
	t.Helper()
	program, err := p.engine.(*postgresql.Engine).Program("postgres")
	if err != nil {
		t.Fatal(err)
	}
	hba := filepath.Join(dir, "pg_hba.conf")
	if err := os.WriteFile(hba, []byte("local all all trust\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, "-D", data, "-c", "restore_command=false", "-c", "recovery_target_timeline=current", "-c", "hot_standby=off",
		"-c", "listen_addresses=", "-c", "port="+strconv.Itoa(p.env.SQLPort), "-c", "unix_socket_directories="+dir, "-c", "hba_file="+hba)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		conn, err := p.engine.(*postgresql.Engine).ConnectTo(t.Context(), dir, "postgres", "app")
		if err == nil {
			t.Cleanup(func() { postgresql.Disconnect(t.Context(), conn) })
			return conn
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
