// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bed runs the project's real test bed: a Kubernetes cluster with nodes, volumes and database
// images on one Linux machine. `bed --help` teaches it; README.md beside this file says how it works.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/upmio/unit-operator/test/bed/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command.New().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	// A program that was run for the user (kubectl) has said what is wrong: pass its exit code on.
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && command.IsPassedOn(err) {
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "bed: "+err.Error())
	os.Exit(1)
}
