// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/backup/cli"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

// verified is a result whose backup was verified, with nothing left of that.
func (p *pod) verified(result map[string]string) string {
	p.t.Helper()
	if !strings.Contains(result["verified"], "compared with what the server had") {
		p.t.Errorf("verified: %s", result["verified"])
	}
	p.nothingRestored()
	return result["verified"]
}

func (p *pod) nothingRestored() {
	p.t.Helper()
	if _, err := os.Stat(p.env.SideDir("verify")); !errors.Is(err, os.ErrNotExist) {
		p.t.Errorf("the restored data was left: %v", err)
	}
}

// plain backups can be read by a test.
func plainLogical(dir string) *operation.LogicalBackup {
	b := logical(dir)
	b.Compression, b.Verify = operation.NoCompression, true
	return b
}

func plainPhysical(dir string, how operation.BackupType) *operation.PhysicalBackup {
	b := physical(dir, how)
	b.Compression, b.Verify = operation.NoCompression, true
	return b
}

// verifiedAlone is what unit-agent backup verify says of a backup where no unit is.
func verifiedAlone(t *testing.T, address string) string {
	t.Helper()
	// Short, for the path of a socket.
	tmp, err := os.MkdirTemp("/tmp", "v") //nolint:usetesting // t.TempDir is too long.
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	work := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	command := cli.Command(cli.Engines{New: func(env engine.Env) (engine.Engine, error) { return postgresql.New(env), nil }, Actions: New})
	var out bytes.Buffer
	command.SetArgs([]string{"verify", address, "--restore", "--work", work})
	command.SetOut(&out)
	command.SetErr(io.Discard)
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, dir := range []string{work, tmp} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	return out.String()
}

func TestABackupIsVerifiedByRestoringItOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, bounded)
		if p.major() >= firstSummaries {
			p.must(op("s", &operation.SetVariable{Variables: map[string]operation.Value{"summarize_wal": {Text: "true", Kind: operation.Bool}}}, nil))
		}
		p.makeZoo()
		p.sql("zoo", "CREATE TABLE zoo.counted AS SELECT i, 'row ' || i AS v FROM generate_series(1, 1000) i", "ALTER TABLE zoo.counted ADD PRIMARY KEY (i)",
			"SELECT lo_put(lo_create(4711), 5000, 'after a hole')", "SELECT lo_put(4711, 0, 'a short page')")
		dir, copies := t.TempDir(), t.TempDir()
		taken := p.must(op("b", plainLogical(dir), nil))
		if text := p.verified(taken); strings.Contains(text, "not compared") {
			t.Errorf("nobody writes, and not all is compared: %s", text)
		}
		p.verified(p.must(op("f", plainPhysical(copies, operation.Full), nil)))
		p.sql("zoo", "UPDATE zoo.counted SET v = 'other' WHERE i % 7 = 0", "CREATE TABLE zoo.afterwards AS SELECT 1 AS i")
		changed := p.must(op("i", plainPhysical(copies, operation.Incremental), nil))
		p.verified(changed)
		t.Run("and by hand without the unit", func(t *testing.T) {
			for _, address := range []string{taken["location"], changed["location"]} {
				if text := verifiedAlone(t, address); !strings.Contains(text, "compared with what the server had") {
					t.Error(text)
				}
			}
		})
		for _, tc := range []struct {
			name, words string
			change      map[string]string
		}{
			{"a row that is another one", "table zoo.zoo.counted has 1000 rows as before, but not the same", map[string]string{"500\trow 500\n": "500\trow 5o0\n"}},
			{"a row that is missing", "table zoo.zoo.counted has 999 rows and had 1000", map[string]string{"500\trow 500\n": "500\trow 500 ", "501\trow 501\n": "501 row 501\n"}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				bad := enginetest.Retold(t, taken["location"], func(file string, content []byte) []byte {
					for from, to := range tc.change {
						if file == dumpFile("zoo") && !bytes.Contains(content, []byte(from)) {
							t.Fatalf("the dump has no %q", from)
						}
						content = bytes.Replace(content, []byte(from), []byte(to), 1)
					}
					return content
				})
				_, err := New(p.deps())[operation.ActionVerify].Run(t.Context(), op("v", &operation.Restore{Source: bad}, nil))
				if operations.ReasonOf(err) != operation.ReasonVerificationFailed || !strings.Contains(err.Error(), tc.words) {
					t.Errorf("got %v", err)
				}
				p.nothingRestored()
				if err := errors.Join(os.RemoveAll(strings.TrimPrefix(bad, "file://")), os.Remove(strings.TrimPrefix(bad, "file://")+backup.ManifestSuffix)); err != nil {
					t.Fatal(err)
				}
			})
		}
		t.Run("a file that was cut", func(t *testing.T) {
			path := strings.TrimPrefix(taken["location"], "file://") + "/" + dumpFile("zoo")
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, info.Size()/2)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = New(p.deps())[operation.ActionVerify].Run(t.Context(), op("v", &operation.Restore{Source: taken["location"]}, nil))
			if operations.ReasonOf(err) != backup.ReasonCorrupt || !strings.Contains(err.Error(), dumpFile("zoo")) {
				t.Errorf("got %v", err)
			}
			p.nothingRestored()
		})
	})
}

// meanwhile is an operation beside which something is done once it says what it does.
type meanwhile struct {
	*optest.Op
	at string
	do func()
}

func (m *meanwhile) Progress(text string, done, total int64) {
	m.Op.Progress(text, done, total)
	if m.do != nil && strings.HasPrefix(text, m.at) {
		do := m.do
		m.do = nil
		do()
	}
}

// server that counts who connects.
type server struct {
	port      string
	connected atomic.Int32
}

// publisher listens where a subscription of a test has its publisher.
func publisher(t *testing.T) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{}
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.connected.Add(1)
			c.Close()
		}
	}()
	return s
}

// cancelledVerificationLeavesTheChain: the backup is there, and incremental ones continue it.
func (p *pod) cancelledVerificationLeavesTheChain() {
	p.t.Helper()
	dir := p.t.TempDir()
	ctx, cancel := context.WithCancel(p.t.Context())
	full := op("d", plainPhysical(dir, operation.Full), nil)
	if _, err := New(p.deps())[full.Action()].Run(ctx, &meanwhile{full, "recovering", func() {
		if n := p.value("postgres", "SELECT count(*) FROM pg_replication_slots WHERE temporary"); n != "0" {
			p.t.Errorf("%s slots keep WAL for a copy that was made", n)
		}
		cancel()
	}}); !errors.Is(err, context.Canceled) {
		p.t.Errorf("cancelled: %v", err)
	}
	if p.major() < firstSummaries {
		p.must(op("n", plainPhysical(dir, operation.Incremental), nil))
	}
}

func TestAVerificationBesideWritersHasNoFalseAlarmAndLeavesNothingWhenCancelledOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		upstream := publisher(t)
		// The workers of the unit's own server would connect there too.
		p := newPod(t, box, "a", 5432, bounded+"max_logical_replication_workers = 0\n")
		p.sql("postgres", "CREATE SUBSCRIPTION follows CONNECTION 'host=127.0.0.1 port="+upstream.port+" dbname=x' PUBLICATION p WITH (connect = false, slot_name = 's')", "ALTER SUBSCRIPTION follows ENABLE")
		p.sql("postgres", "CREATE TABLE still AS SELECT i, 'row ' || i AS v FROM generate_series(1, 50000) i", "CREATE TABLE busy AS TABLE still", "CREATE TABLE queue AS SELECT 1 AS i")
		write := func() {
			const counted = "SELECT pg_stat_get_tuples_inserted('queue'::regclass)"
			before := p.value("postgres", counted)
			p.sql("postgres", "UPDATE busy SET v = v || 'x'", "DELETE FROM busy WHERE i = (SELECT min(i) FROM busy)", "INSERT INTO queue VALUES (2)")
			// A session tells what it has changed when it ends, after its client has gone.
			agenttest.Eventually(t, "the changes are counted", func() bool { return p.value("postgres", counted) != before })
		}
		for name, params := range map[string]operation.Params{"logical": plainLogical(t.TempDir()), "physical": plainPhysical(t.TempDir(), operation.Full)} {
			t.Run(name, func(t *testing.T) {
				at := map[string]string{"logical": "dumping", "physical": "copying"}[name]
				action := New(p.deps())[operation.ActionOf(params)]
				// The backup has a row that was not there before, nor afterwards.
				run := &meanwhile{Op: op("w", params, nil), at: at}
				run.do = func() {
					write()
					run.at, run.do = "summing the rows of postgres.public.queue", func() { p.sql("postgres", "DELETE FROM queue WHERE i = 2") }
				}
				result, err := action.Run(t.Context(), run)
				if err != nil {
					t.Fatal(err)
				}
				if text := p.verified(result); strings.Contains(text, "not compared: postgres.public.busy") != (name == "physical") {
					t.Errorf("verified: %s", text)
				}
				ctx, cancel := context.WithCancel(t.Context())
				if _, err := action.Run(ctx, &meanwhile{op("c", params, nil), "making a server beside", cancel}); name == "logical" && !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
				if name == "physical" {
					p.cancelledVerificationLeavesTheChain()
				}
				if err := action.(operations.Abandoner).Abandon(t.Context(), op("c", params, nil)); err != nil {
					t.Error(err)
				}
				p.nothingRestored()
			})
		}
		if n := upstream.connected.Load(); n > 0 {
			t.Errorf("the subscription of a restored copy has connected %d times to the unit's publisher", n)
		}
	})
}
