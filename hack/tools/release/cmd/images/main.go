// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command images makes the images of a release and pushes them; see package images.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/upmio/unit-operator/hack/tools/release/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: images build|push [flags]; -h after it names them")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("images "+args[0], flag.ExitOnError)
	dir := flags.String("dir", "dist/images", "the `DIRECTORY` of the images")
	switch args[0] {
	case "build":
		var r images.Release
		tree := flags.String("tree", ".", "the `DIRECTORY` of the sources")
		flags.StringVar(&r.Version, "version", "dev", "the version, and the images' tag")
		flags.StringVar(&r.Commit, "commit", "unknown", "the commit")
		flags.StringVar(&r.LinkerFlags, "ldflags", "", "flags of the linker")
		epoch := flags.String("date", "0", "the date in `SECONDS` since 1970")
		_ = flags.Parse(args[1:]) // it exits
		seconds, err := strconv.ParseInt(*epoch, 10, 64)
		if err != nil {
			return fmt.Errorf("-date: %w", err)
		}
		r.Date = time.Unix(seconds, 0)
		for _, program := range images.Programs {
			digest, err := images.Build(ctx, *tree, program, images.Platforms, r, *dir)
			if err != nil {
				return err
			}
			fmt.Printf("%s:%s@%s\n", program.Name, r.Version, digest)
		}
	case "push":
		registry := flags.String("registry", "", "where the images go: `REGISTRY`/unit-operator and REGISTRY/unit-agent")
		_ = flags.Parse(args[1:]) // it exits
		if *registry == "" {
			return errors.New("which registry? -registry registry.example.com/upmio")
		}
		for _, program := range images.Programs {
			reference, err := images.Push(ctx, *dir, program, *registry)
			if err != nil {
				return err
			}
			fmt.Println(reference)
		}
	default:
		return errUsage
	}
	return nil
}
