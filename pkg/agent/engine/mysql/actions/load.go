// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// Phases of loading databases into the running server.
const (
	// phaseLoad: databases that were not there are being made, and tables alongside those
	// that are to be replaced. They go if the load does not come to its end.
	phaseLoad = "load"
	// phaseReplace: all tables are loaded. They take the places of the old ones in one
	// statement: until that was executed the way back is open, then it is forward.
	phaseReplace = "replace-databases"
)

// serverPatience is how long what must go on waits for the server: it may be on its way,
// as the agent was.
const serverPatience = 5 * time.Minute

// begun is what it takes to go on with a load, or to give it up.
type begun struct {
	Databases []loading `json:"databases"`
	// Whole: what the dump does not have is not to be there.
	Whole bool `json:"whole"`
	// Children are foreign keys of other tables to those that are replaced.
	Children []foreignKey `json:"children,omitempty"`
	// Packet is the server's max_allowed_packet, if it was raised for the load.
	Packet string `json:"packet,omitempty"`
	// Restored is recorded when all is loaded.
	Restored restored          `json:"restored"`
	Result   map[string]string `json:"result"`
}

// loading is one database's way.
type loading struct {
	// Source is its name in the dump, Target the one that it gets.
	Source string `json:"source"`
	Target string `json:"target"`
	// Into is where its tables are loaded: Target itself if that is not there, else a
	// database alongside. Old takes the tables that they replace; empty if there are none.
	Into string `json:"into"`
	Old  string `json:"old,omitempty"`
}

// ownPrefixes of the names of databases that are there only while others are replaced.
var ownPrefixes = []string{"unit_agent_new_", "unit_agent_old_"}

func isOwnDatabase(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, ownPrefixes[0]) || strings.HasPrefix(name, ownPrefixes[1])
}

func (b begun) names(to func(loading) string) map[string]string {
	out := map[string]string{}
	for _, d := range b.Databases {
		out[d.Source] = to(d)
	}
	return out
}

func (b begun) into() map[string]string {
	return b.names(func(d loading) string { return d.Into })
}

func (b begun) targets() map[string]string {
	return b.names(func(d loading) string { return d.Target })
}

// replaced are those of the databases that were there.
func (b begun) replaced() []loading {
	var out []loading
	for _, d := range b.Databases {
		if d.Old != "" {
			out = append(out, d)
		}
	}
	return out
}

// dump writes statements.
type dump func(ctx context.Context, to io.Writer) error

// load of a dump into the running server.
type load struct {
	unit
	begun
	plan logicalPlan
	dump dump
	// total bytes of the dump, as far as is known; sizes are those of its databases.
	total int64
	sizes map[string]databaseSize
}

// run the load. What it replaces stays until all that replaces it is there.
func (l *load) run(ctx context.Context, op operations.Op, overwrite bool) (map[string]string, error) {
	if err := l.prepare(ctx, overwrite); err != nil {
		return nil, err
	}
	room := l.roomNeeded()
	if err := room.Check(); err != nil {
		return nil, err
	}
	err := l.beside(ctx, op, room)
	if err == nil && len(l.replaced()) > 0 {
		err = op.SetPhase(phaseReplace, l.begun)
	}
	if err != nil {
		if ctx.Err() == nil {
			err = withCleanup(err, l.giveUp(ctx, l.begun))
		}
		return nil, err
	}
	if len(l.replaced()) > 0 {
		return l.replaceDatabases(ctx, op)
	}
	return l.Result, nil
}

// loadReserve is what at least stays free: the server writes to the same file system.
const loadReserve = 64 << 20

// roomNeeded for the tables, alongside what they replace, and for the binary log that has
// their rows too.
func (l *load) roomNeeded() room {
	var size int64
	for _, d := range l.Databases {
		s := l.sizes[d.Source]
		if size += s.Data + s.Index; l.Restored.Logged {
			size += s.Data
		}
	}
	if len(l.sizes) == 0 {
		size = l.total
	}
	return room{Size: size, Margin: max(size/10, 2*loadReserve), Dir: l.Env.DataMount, Instead: "a larger data storage: what is loaded lies there beside what it replaces, and in the binary log"}
}

// withCleanup keeps the reason of the failure.
func withCleanup(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return operations.Failed(operations.ReasonOf(err), "%w; and cleaning up failed: %w", err, cleanup)
}

// mayLoad fails unless the plan may be carried out on the running server.
func (u unit) mayLoad(ctx context.Context, plan logicalPlan, overwrite bool) error {
	s, err := u.session(ctx, false)
	if err != nil {
		return err
	}
	defer s.close()
	if err := foldNames(ctx, s, plan); err != nil {
		return err
	}
	_, _, err = divideTargets(ctx, s, plan, overwrite)
	return err
}

// prepare finds what there is already, and whether it may go.
func (l *load) prepare(ctx context.Context, overwrite bool) error {
	s, err := l.session(ctx, true)
	if err != nil {
		return err
	}
	defer s.close()
	if err := foldNames(ctx, s, l.plan); err != nil {
		return err
	}
	there, _, err := divideTargets(ctx, s, l.plan, overwrite)
	if err != nil {
		return err
	}
	l.Databases = divide(l.plan, there)
	// On a server that has executed nothing the backup's GTIDs are to be purged
	// afterwards, so the load must leave none. Everywhere else it is a change like
	// any other, that replicas and readers of the binary log get.
	executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
	if err != nil {
		return err
	}
	l.Restored.Logged, l.Whole = executed != "", l.plan.whole
	if l.Packet, err = s.value(ctx, "SELECT @@global.max_allowed_packet"); err != nil {
		return err
	}
	if l.Packet == largestPacket {
		l.Packet = ""
	}
	l.Result["databases"] = strings.Join(l.plan.targets(), ",")
	l.Result["message"] += ": " + strings.Join(l.plan.targets(), ", ")
	return nil
}

// divide the databases of a plan: those that are there are loaded alongside.
func divide(plan logicalPlan, there []string) []loading {
	var out []loading
	for i, source := range plan.sources() {
		d := loading{Source: source, Target: plan.names[source]}
		if d.Into = d.Target; slices.Contains(there, d.Target) {
			d.Into, d.Old = fmt.Sprintf("%s%d", ownPrefixes[0], i), fmt.Sprintf("%s%d", ownPrefixes[1], i)
		}
		out = append(out, d)
	}
	return out
}

// beside loads the tables, and proves that the server takes the rest. Where nothing is
// replaced, that is all.
func (l *load) beside(ctx context.Context, op operations.Op, room room) error {
	if err := op.SetPhase(phaseLoad, l.begun); err != nil {
		return err
	}
	if err := l.clearWay(ctx); err != nil {
		return err
	}
	if err := room.Watched(ctx, func(ctx context.Context) error { return l.stream(ctx, op) }); err != nil {
		return room.Filled(err)
	}
	if len(l.replaced()) == 0 {
		p := &programs{names: l.targets()}
		if err := p.run(ctx, l.unit, l.Restored.Logged); err != nil {
			return err
		}
		return l.loaded(ctx, l.begun, p.notMade())
	}
	// Nothing of the proof stays, so it is not logged.
	p := &programs{names: l.into(), proof: true}
	if err := p.run(ctx, l.unit, false); err != nil {
		return err
	}
	s, err := l.loadSession(ctx, false)
	if err != nil {
		return err
	}
	defer s.close()
	for _, d := range l.Databases {
		if err := l.dropPrograms(ctx, s, d.Into); err != nil {
			return err
		}
	}
	if err := l.markReplacement(ctx, l.begun); err != nil {
		return err
	}
	l.Children, err = childrenOf(ctx, s, l.begun)
	return err
}

// stream gives the tables of the dump to the client as they come, and lays the rest
// alongside.
func (l *load) stream(ctx context.Context, op operations.Op) error {
	rest, err := l.createPrograms()
	if err != nil {
		return err
	}
	err = runInto(
		func(out io.Writer) error { return l.filter(ctx, op, out, rest, "loading") },
		func(in io.Reader) error { return l.client(ctx, op, in, l.Restored.Logged) },
	)
	return errors.Join(err, rest.Close())
}

// runInto lets one read what the other writes; both must end well.
func runInto(write func(io.Writer) error, take func(io.Reader) error) error {
	in, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(out)
		out.CloseWithError(err)
		written <- err
	}()
	err := take(in)
	in.CloseWithError(errClientEnded)
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, errClientEnded) {
		return writeErr
	}
	return err
}

var errClientEnded = errors.New("the client has ended")

// filter writes what of the dump belongs to the plan: tables to one, the rest to the
// other.
func (l *load) filter(ctx context.Context, op operations.Op, to, rest io.Writer, text string) error {
	reader := newDumpReader(to, (&loader{plan: l.plan, into: l.into()}).decide)
	reader.aside = rest
	// Not every store hears of the end of ctx.
	untilEnd := writerFunc(func(p []byte) (int, error) { return len(p), context.Cause(ctx) })
	if err := l.dump(ctx, io.MultiWriter(untilEnd, reader, &reporter{op: op, text: text, total: l.total})); err != nil {
		return err
	}
	return reader.Close()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// client gives statements to the client mysql.
func (u unit) client(ctx context.Context, op operations.Op, statements io.Reader, logged bool) error {
	// binary-mode: the client obeys nothing in the dump but its delimiters.
	cmd, err := u.tool(ctx, op, "mysql", append(u.local(), "--binary-mode", "--comments", "--default-character-set=utf8mb4",
		"--max-allowed-packet=1G", "--init-command="+mysql.LoadLimits+", SESSION sql_log_bin = "+onOff(logged))...)
	if err != nil {
		return err
	}
	return pipe.Run(ctx, cmd, statements, nil)
}

func onOff(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// loadSession is a session by which databases are changed: like the client's.
func (u unit) loadSession(ctx context.Context, logged bool) (*session, error) {
	s, err := u.session(ctx, logged)
	if err != nil {
		return nil, err
	}
	if err := s.exec(ctx, mysql.LoadLimits, "SET SESSION foreign_key_checks = 0"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// largestPacket is the largest max_allowed_packet there is. A row of a dump takes twice
// its size, so a server cannot take all rows that it has within its own limit.
const largestPacket = "1073741824"

// awaitServer returns when the server answers, or has not for long: then who asks it is
// given the reason.
func (u unit) awaitServer(ctx context.Context) error {
	for end := time.Now().Add(serverPatience); u.Engine.Check(ctx) != nil && time.Now().Before(end); {
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return nil
}
