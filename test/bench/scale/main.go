// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// insideEnv is set in the process that has a network namespace of its own.
const insideEnv = "UNIT_OPERATOR_BENCH_INSIDE"

// phases in the order in which they run.
var phases = []struct {
	name, help string
	run        func(context.Context, *bench) error
}{
	{"default", "N sets against N StatefulSets, with the default flags of both", func(ctx context.Context, b *bench) error { return b.race(ctx, false) }},
	{"unthrottled", "the same with no limit on requests for either", func(ctx context.Context, b *bench) error { return b.race(ctx, true) }},
	{"rest", "N healthy sets: memory, writes and syncs at rest, and after a restart", func(ctx context.Context, b *bench) error { return b.rest(ctx) }},
	{"gone", "a new set alone, and beside -gone units whose agents are silent", func(ctx context.Context, b *bench) error { return b.gone(ctx) }},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := &bench{}
	var names []string
	for _, p := range phases {
		names = append(names, p.name)
	}
	wanted := flag.String("phases", strings.Join(names, ","), "which of them to measure")
	flag.StringVar(&b.operator, "operator", "bin/unit-operator", "the operator's executable")
	flag.IntVar(&b.sets, "sets", 100, "how many sets of three, and StatefulSets")
	flag.IntVar(&b.silent, "gone", 2000, "how many units whose agents are silent")
	flag.Float64Var(&b.slow, "slow", 0.1, "share of agents that answer after 200 ms")
	flag.BoolVar(&b.keep, "keep", false, "keep the logs, and profiles of the operator's memory")
	flag.Parse()
	if os.Getenv(insideEnv) == "" {
		return enter(ctx)
	}
	for _, command := range [][]string{{"ip", "link", "set", "lo", "up"}, {"ip", "route", "add", "local", podNetwork, "dev", "lo"}} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
		}
	}
	chosen := strings.Split(*wanted, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no phase %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	for _, p := range phases {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		say("%s: %s", p.name, p.help)
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// enter runs this program again in a network namespace of its own, where every address
// of the pods' network is its own.
func enter(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
