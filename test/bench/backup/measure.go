// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/operation"
)

// agentThreads compress where nothing says how many.
const agentThreads = backup.DefaultParallel

// zstdLevel is zstd's own.
const zstdLevel = 3

// result of one kind of backup of one server.
type result struct {
	Server, Kind, Rival string
	// Size of the database.
	Size   int64
	Rounds []round
}

// round is one turn of each.
type round struct{ Agent, Rival run }

// run is one backup.
type run struct {
	Took time.Duration
	// CPU of the agent and of the programs it started, or of the pipeline; the server's
	// is in neither.
	CPU    time.Duration
	Stored int64
	Peaks  peaks
}

// database is what is to be known of an engine.
type database struct {
	files map[string][]byte
	// fill the server with about size bytes; measured tells how many they are.
	fill     func(ctx context.Context, u *unit, size int64) error
	measured func(ctx context.Context, u *unit) (int64, error)
	logical  rival
	physical rival
}

// rival is what the engine brings along for a backup.
type rival struct {
	name string
	// before and after, if set, are part of the backup.
	before func(ctx context.Context, u *unit, threads int) error
	// tool is a program in the box and its arguments; it writes the backup.
	tool []string
	// environ of the tool.
	environ []string
	after   func(ctx context.Context, u *unit) error
}

var databases = map[string]*database{operation.MySQL: &mysql, operation.PostgreSQL: &postgresql}

// bench is one server and what is measured with it.
type bench struct {
	setting
	*unit
	*gateway
	operations int
}

// measure all that one engine does.
func measure(ctx context.Context, s setting) ([]result, error) {
	db, server := databases[s.Type], filepath.Base(s.Root)
	u, err := startUnit(ctx, s, db.files)
	if err != nil {
		return nil, err
	}
	g, err := startGateway(ctx, s.Gateway, s.Work)
	if err != nil {
		return nil, err
	}
	say("%s: making %d MiB of data", server, s.Size>>20)
	if err := db.fill(ctx, u, s.Size); err != nil {
		return nil, err
	}
	size, err := db.measured(ctx, u)
	if err != nil {
		return nil, err
	}
	b := &bench{setting: s, unit: u, gateway: g}
	var results []result
	for _, k := range []struct {
		kind    backup.Kind
		rival   rival
		threads int
		params  func(destination string) operation.Params
	}{
		{backup.Physical, db.physical, s.Threads, func(to string) operation.Params {
			return &operation.PhysicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: to, Parallel: s.Threads}
		}},
		{backup.Logical, db.logical, agentThreads, func(to string) operation.Params {
			return &operation.LogicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: to}
		}},
	} {
		r := result{Server: server, Kind: string(k.kind), Rival: k.rival.name, Size: size}
		for n := range s.Rounds {
			next, err := b.round(ctx, n, k.params("s3://"+bucket+"/agent/"), k.rival, k.threads)
			if err != nil {
				return nil, fmt.Errorf("%s backup: %w", k.kind, err)
			}
			say("%s: %s backup, round %d: agent %.1f s, rival %.1f s", server, k.kind, n+1, next.Agent.Took.Seconds(), next.Rival.Took.Seconds())
			r.Rounds = append(r.Rounds, next)
		}
		results = append(results, r)
	}
	return results, nil
}

// round lets both take their turn. The second one may find warmer caches: they change
// places.
func (b *bench) round(ctx context.Context, n int, params operation.Params, r rival, threads int) (done round, err error) {
	turns := []func() error{
		func() (err error) { done.Agent, err = b.agent(ctx, params); return err },
		func() (err error) { done.Rival, err = b.rival(ctx, r, threads); return err },
	}
	if n%2 == 1 {
		turns[0], turns[1] = turns[1], turns[0]
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return done, err
		}
		if err := b.empty(); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (b *bench) agent(ctx context.Context, params operation.Params) (r run, err error) {
	if err := forget(b.proc, b.serve); err != nil {
		return r, err
	}
	before, err := cpu(b.proc, b.serve)
	if err != nil {
		return r, err
	}
	stop := watch(ctx, b.proc, b.serve)
	b.operations++
	r.Took, err = b.operate(ctx, "bench-"+strconv.Itoa(b.operations), params, b.secrets())
	r.Peaks = stop()
	if err != nil {
		return r, fmt.Errorf("the agent: %w", err)
	}
	after, err := cpu(b.proc, b.serve)
	if err != nil {
		return r, err
	}
	r.CPU = after - before
	r.Stored, err = b.stored()
	return r, err
}

func (b *bench) rival(ctx context.Context, v rival, threads int) (r run, err error) {
	path, err := b.program(v.tool[0])
	if err != nil {
		return r, err
	}
	tool := b.command(ctx, path, v.tool[1:]...)
	tool.Env = append(tool.Env, v.environ...)
	begun := time.Now()
	if v.before != nil {
		if err := v.before(ctx, b.unit, threads); err != nil {
			return r, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	stages := []*exec.Cmd{tool, exec.CommandContext(ctx, "zstd", "-q", "-c", "-"+strconv.Itoa(zstdLevel), "-T"+strconv.Itoa(threads)), b.gateway.client(ctx, b.Client, "rival")}
	if r.Peaks, err = pipe(ctx, b.proc, stages...); err != nil {
		return r, err
	}
	if v.after != nil {
		if err := v.after(ctx, b.unit); err != nil {
			return r, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	r.Took = time.Since(begun)
	for _, stage := range stages {
		r.CPU += stage.ProcessState.UserTime() + stage.ProcessState.SystemTime()
	}
	r.Stored, err = b.stored()
	return r, err
}
