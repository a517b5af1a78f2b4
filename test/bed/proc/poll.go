// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"fmt"
	"time"

	"github.com/upmio/unit-operator/test/bed/progress"
)

// Poll calls check every interval until it returns true, and gives up after timeout with the last
// error that check returned. An error of check is a reason to go on waiting: it is what the running
// progress step shows.
func Poll(ctx context.Context, timeout, interval time.Duration, check func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		done, err := check(ctx)
		if done {
			progress.WaitingFor(ctx, "%s", "") // the step goes on to something else
			return nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
			progress.WaitingFor(ctx, "%v", err)
		}
		select {
		case <-ctx.Done():
			if last == nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("gave up after %v: %w", timeout, last)
		case <-ticker.C:
		}
	}
}
