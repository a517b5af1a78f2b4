// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"time"
)

const (
	// lookInterval is how often a statement that runs is looked after.
	lookInterval = 500 * time.Millisecond
	// killTimeout bounds one attempt to end a statement, endTimeout the time that it has to
	// end after the first.
	killTimeout = 10 * time.Second
	endTimeout  = 2 * time.Minute
)

// killer runs a statement that takes long, such as CLONE, and can end it. It logs in before
// the statement begins: a server that copies itself may let nobody in, nor may one on a busy
// machine soon enough.
type killer struct {
	// of is the session with the statement, id its number.
	of *session
	id string
	// by is the session that ends it; nil after it broke.
	by   *session
	open func(context.Context) (*session, error)

	every, most time.Duration
}

func newKiller(ctx context.Context, of *session, open func(context.Context) (*session, error)) (*killer, error) {
	id, err := of.value(ctx, "SELECT CONNECTION_ID()")
	if err != nil {
		return nil, err
	}
	by, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return &killer{of: of, id: id, by: by, open: open, every: lookInterval, most: endTimeout}, nil
}

func (k *killer) close() {
	if k.by != nil {
		k.by.close()
		k.by = nil
	}
}

// run the statement. It is ended, and waited for, when ctx ends or look returns why it must
// not go on: what it writes is removed then. After ctx has ended, a statement that the server
// does not end is left to it, for nothing is removed before endClones has seen its end.
func (k *killer) run(ctx context.Context, statement string, look func() error) error {
	// The driver would leave the statement running on its own: it is ended by KILL.
	running, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	done := make(chan error, 1)
	go func() {
		_, err := k.of.ExecContext(running, statement)
		done <- err
	}()
	ticker := time.NewTicker(k.every)
	defer ticker.Stop()
	cancelled := ctx.Done()
	var why error
	var late <-chan time.Time
	for {
		select {
		case err := <-done:
			if why != nil {
				return why
			}
			return err
		case <-late:
			return fmt.Errorf("%w; the server has not ended the statement within %s", why, k.most)
		case <-cancelled:
			cancelled = nil
			if why == nil {
				why = context.Cause(ctx)
			}
		case <-ticker.C:
			if why == nil {
				why = look()
			}
		}
		if why == nil {
			continue
		}
		if late == nil && ctx.Err() != nil {
			late = time.After(k.most)
		}
		// Again each time: the first may have come before the statement.
		k.kill(ctx)
	}
}

// kill the statement. If it cannot be now, it is tried again.
func (k *killer) kill(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
	defer cancel()
	if k.by == nil {
		by, err := k.open(ctx)
		if err != nil {
			return
		}
		k.by = by
	}
	if err := k.by.exec(ctx, "KILL QUERY "+k.id); err != nil && number(err) == 0 {
		// Not the server said so: the session broke.
		k.close()
	}
}
