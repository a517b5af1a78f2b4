// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/proc"
)

const containerdStart = 30 * time.Second

// ctr talks to one containerd through containerd's own command, in the namespace of the CRI plugin.
type ctr struct {
	program, socket string
}

func (c ctr) run(ctx context.Context, args ...string) (string, error) {
	return machine.Run(ctx, c.program, append([]string{"--address", c.socket, "--namespace", "k8s.io"}, args...)...)
}

// waitAnswer returns once containerd answers. ended says whether it has ended, and need not be waited for.
func (c ctr) waitAnswer(ctx context.Context, ended func() error) error {
	var end error
	err := proc.Poll(ctx, containerdStart, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		if end = ended(); end != nil {
			return true, nil
		}
		if _, err := c.run(ctx, "version"); err != nil {
			return false, fmt.Errorf("containerd to answer: %w", err)
		}
		return true, nil
	})
	if end != nil {
		return end
	}
	return err
}

// load imports a docker archive of an image and unpacks it.
func (c ctr) load(ctx context.Context, archive string) error {
	_, err := c.run(ctx, "images", "import", "--snapshotter", "overlayfs", archive)
	return err
}
