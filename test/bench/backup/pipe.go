// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// pipe runs programs whose outputs are the next one's input, and returns their peaks.
// All of them have to end well.
func pipe(ctx context.Context, proc string, stages ...*exec.Cmd) (peaks, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages := make([]bytes.Buffer, len(stages))
	var pids []int
	var in *os.File
	for i, cmd := range stages {
		cmd.Stderr = &messages[i]
		if in != nil {
			cmd.Stdin = in
		}
		var next, out *os.File
		if i < len(stages)-1 {
			var err error
			if next, out, err = os.Pipe(); err != nil {
				return nil, err
			}
			cmd.Stdout = out
		}
		err := cmd.Start()
		// The programs have theirs: an end that is kept open here would never come.
		err = errors.Join(err, closeFile(in), closeFile(out))
		if err != nil {
			return nil, errors.Join(err, closeFile(next))
		}
		in = next
		pids = append(pids, cmd.Process.Pid)
	}
	stop := watch(ctx, proc, pids...)
	var err error
	for i, cmd := range stages {
		if waitErr := cmd.Wait(); waitErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %s", cmd.Path, waitErr, messages[i].String()))
		}
	}
	return stop(), err
}

func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}
