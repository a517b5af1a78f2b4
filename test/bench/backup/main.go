// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if inside := os.Getenv(insideEnv); inside != "" {
		err = runInside(ctx, inside)
	} else {
		err = runOutside(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func runOutside(ctx context.Context) error {
	size := resource.MustParse("2Gi")
	flag.Func("size", "how much `data` each server gets (default 2Gi); a small one is for trying it out", func(s string) (err error) {
		size, err = resource.ParseQuantity(s)
		return err
	})
	rounds := flag.Int("rounds", 3, "how often each of the two takes its turn")
	threads := flag.Int("threads", agentThreads, "threads of compression of physical backups, and of zstd beside them")
	engines := flag.String("engines", "mysql,postgresql", "whose backups")
	agent := flag.String("agent", "bin/unit-agent", "the agent")
	flag.Parse()
	if *rounds < 1 || *threads < 1 || size.Value() < 1<<20 {
		return errors.New("rounds and threads are at least 1, and size 1Mi")
	}
	program, err := filepath.Abs(*agent)
	if err != nil {
		return err
	}
	report := progress.New(os.Stderr)
	s := setting{Agent: program, Size: size.Value(), Rounds: *rounds, Threads: *threads}
	if s.Gateway, err = component(ctx, report, "s3", "versitygw"); err != nil {
		return err
	}
	if s.Client, err = component(ctx, report, "s5cmd", "s5cmd"); err != nil {
		return err
	}
	var results []result
	for _, typ := range strings.Split(*engines, ",") {
		if databases[typ] == nil {
			return fmt.Errorf("there is no engine %q to measure", typ)
		}
		roots, dir, err := enginetest.Roots(typ)
		if err != nil {
			return err
		}
		if len(roots) == 0 {
			return fmt.Errorf("no root filesystem %s-* in %s: pkg/agent/engine/enginetest/make-servers.sh makes them", typ, dir)
		}
		s.Type, s.Root = typ, slices.Max(roots)
		more, err := enter(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(s.Root), err)
		}
		results = append(results, more...)
	}
	return show(os.Stdout, s, results)
}

// component of the bed: the path of its program.
func component(ctx context.Context, report *progress.Reporter, name, program string) (string, error) {
	dir, err := build.Component(ctx, report, name)
	return filepath.Join(dir, program), err
}
