// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// reasonDonorChanged: another server is where the donor was.
	reasonDonorChanged = "DonorChanged"
	// reasonDonorBlocked: the copy would wait for commits that wait for acknowledgements.
	reasonDonorBlocked = "DonorWaitsForAcknowledgements"
	// blockedAfter is how long no commit of the donor is acknowledged, while some wait for
	// that, before it counts as blocked.
	blockedAfter = 10 * time.Second
	// lookAtDonor is how often it is looked at: it notifies nobody. askDonor bounds one
	// question.
	lookAtDonor = 500 * time.Millisecond
	askDonor    = 10 * time.Second
)

// provision makes the unit's data a copy of another member's. The copy lies next to the
// data until it is complete. It follows nobody afterwards, and has the donor's accounts:
// it will be given the donor's changes of them, too.
type provision struct{ unit }

// Run implements operations.Action.
func (a provision) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); recovery(phase) == operations.RecoverAtOnce {
		return a.takeUp(ctx, op)
	}
	p, err := params[*operation.Provision](op)
	if err != nil {
		return nil, err
	}
	password := string(op.Secrets()[secretSourcePassword])
	donor := &operation.Clone{SourceHost: p.Donor.Host, SourcePort: p.Donor.Port, SourceUser: p.Donor.User}
	from, err := dial(ctx, donor, password)
	if err != nil {
		return nil, err
	}
	defer from.close()
	if err := isDonor(ctx, from, p.Donor); err != nil {
		return nil, err
	}
	if err := a.mayProvision(ctx, from, p); err != nil {
		return nil, err
	}
	s, err := a.session(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	// While CLONE runs, a server that is made read-only waits for its end and lets nobody
	// in meanwhile: whoever finds it open now must not have to close it then.
	if err := s.exec(ctx, "SET GLOBAL super_read_only = ON"); err != nil {
		return nil, err
	}
	if err := clonePlugin(ctx, s); err != nil {
		return nil, err
	}
	size, err := sourceSize(ctx, from)
	if err != nil {
		return nil, err
	}
	room := roomFor(size, a.Env.DataMount, "a larger data storage, on which the copy lies next to the old data until it serves")
	return a.replace(ctx, op, room, func(ctx context.Context, data string) (built, error) {
		if err := a.copyDonor(ctx, op, from, s, donor, password, data, room); err != nil {
			return built{}, err
		}
		// CLONE asked the address, not the server: by now another one may answer there.
		if err := stillDonor(ctx, donor, password, p.Donor); err != nil {
			return built{}, err
		}
		executed, err := a.asMember(ctx, op, data)
		if err != nil {
			return built{}, err
		}
		where := address(donor)
		return built{
			restored: restored{Backup: where, GTIDExecuted: executed},
			result: map[string]string{
				"gtidExecuted": executed, "donor": p.Donor.Name, "donorServerID": p.Donor.ServerID,
				"donorGeneration": strconv.FormatInt(p.Donor.DataGeneration, 10),
				"message":         "copied from " + where,
			},
		}, nil
	})
}

// Recover implements operations.Recoverer: the copy is begun anew once the Replication
// hands the password over again.
func (a provision) Recover(phase string) operations.Recovery {
	if r := recovery(phase); r == operations.RecoverAtOnce {
		return r
	}
	return operations.RecoverWithSecrets
}

// Abandon implements operations.Abandoner.
func (a provision) Abandon(ctx context.Context, op operations.Op) error { return a.abandon(ctx, op) }

// isDonor fails unless the server is the one that is meant.
func isDonor(ctx context.Context, from *session, donor operation.Donor) error {
	ctx, cancel := context.WithTimeout(ctx, askDonor)
	defer cancel()
	id, err := from.value(ctx, "SELECT @@global.server_uuid")
	if err != nil {
		return err
	}
	if id != donor.ServerID {
		return operations.Failed(reasonDonorChanged, "%s:%d is the server %s, not %s of unit %s", donor.Host, donor.Port, id, donor.ServerID, donor.Name)
	}
	return nil
}

func stillDonor(ctx context.Context, c *operation.Clone, password string, donor operation.Donor) error {
	from, err := dial(ctx, c, password)
	if err != nil {
		return fmt.Errorf("asking whether the copy is of the donor: %w", err)
	}
	defer from.close()
	return isDonor(ctx, from, donor)
}

// mayProvision fails unless the unit's data is pristine, or of the server whose data may
// be replaced, and the donor's fits.
func (a provision) mayProvision(ctx context.Context, from *session, p *operation.Provision) error {
	o, err := a.Engine.Observe(ctx)
	if err != nil {
		return operations.Failed(operation.ReasonServerNotRunning, "the server does not answer: %w", err)
	}
	switch {
	case o.Writable:
		return operations.Failed("Refused", "the server takes writes: they would be lost")
	case !o.Virgin && !p.Replace:
		return operations.Failed("WouldOverwrite", "the unit has data, and nobody has permitted to replace it")
	case !o.Virgin && o.SystemID != p.ServerID:
		return operations.Failed("WouldOverwrite", "the unit has the data of server %s, permitted is to replace that of %s", o.SystemID, p.ServerID)
	}
	version, err := from.value(ctx, "SELECT @@global.version")
	if err != nil {
		return err
	}
	if series(o.Version) != series(version) {
		return operations.Failed("WrongVersion", "the donor is MySQL %s, the unit is %s: CLONE copies within a series only", version, o.Version)
	}
	if err := clonePlugin(ctx, from); err != nil && number(err) != errDenied {
		return fmt.Errorf("the donor: %w", err)
	}
	return nil
}

// copyDonor clones, and gives up when the donor's commits wait for acknowledgements:
// CLONE waits for every commit that is under way, and the one that is to acknowledge them
// may be the one that is being made.
func (a provision) copyDonor(whole context.Context, op operations.Op, from, s *session, donor *operation.Clone, password, into string, r room) error {
	ctx, cancel := context.WithCancelCause(whole)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	asked := &asking{from: from, dial: func(ctx context.Context) (*session, error) { return dial(ctx, donor, password) }}
	watching.Go(func() {
		defer asked.close()
		if err := untilBlocked(ctx, asked.acknowledgements, lookAtDonor, blockedAfter); err != nil && ctx.Err() == nil {
			cancel(err)
		}
	})
	err := clone(a).cloneInstance(ctx, op, s, donor, password, into, r)
	if cause := context.Cause(ctx); err != nil && cause != nil && operations.ReasonOf(cause) == reasonDonorBlocked {
		err = cause
		op.Progress("waiting for the server to end the copy", 0, 0)
		untilEnded(whole, a.endClones, lookInterval)
	}
	cancel(nil)
	return err
}

// untilEnded returns when end has succeeded, or the operation ends: what a CLONE writes
// must not be removed while it runs, however long the server takes to end it.
func untilEnded(ctx context.Context, end func(context.Context) error, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for end(ctx) != nil {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// asking is how the donor is asked while CLONE runs, which may be for hours: a session that
// broke is made again by the next question.
type asking struct {
	from *session
	dial func(ctx context.Context) (*session, error)
}

func (a *asking) acknowledgements(ctx context.Context) (waiting, acknowledged int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askDonor)
	defer cancel()
	if a.from == nil {
		if a.from, err = a.dial(ctx); err != nil {
			return 0, 0, err
		}
	}
	waiting, acknowledged, err = acknowledgements(ctx, a.from)
	if err != nil {
		a.close()
	}
	return waiting, acknowledged, err
}

func (a *asking) close() {
	if a.from != nil {
		a.from.close()
		a.from = nil
	}
}

// untilBlocked returns when the donor has been blocked for a while. One question that it
// does not answer says nothing: it may be as busy as it is going to be blocked, and if
// something is wrong with it CLONE itself finds out.
func untilBlocked(ctx context.Context, ask func(context.Context) (waiting, acknowledged int64, err error), every, most time.Duration) error {
	var watch blocked
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		waiting, acknowledged, err := ask(ctx)
		if err == nil && watch.since(time.Now(), waiting, acknowledged) >= most {
			return operations.Failed(reasonDonorBlocked, "%d commits of the donor wait for acknowledgements, and a copy waits for them: "+
				"it ends once enough replicas acknowledge, or when another replica is the donor", waiting)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// blocked watches a donor's commits.
type blocked struct {
	began time.Time
	count int64
}

// since when commits wait and none is acknowledged.
func (b *blocked) since(now time.Time, waiting, acknowledged int64) time.Duration {
	if waiting == 0 || b.began.IsZero() || acknowledged != b.count {
		b.began, b.count = now, acknowledged
		if waiting == 0 {
			b.began = time.Time{}
		}
		return 0
	}
	return now.Sub(b.began)
}

// acknowledgements of a source; zeros where it waits for none.
func acknowledgements(ctx context.Context, from *session) (waiting, acknowledged int64, err error) {
	rows, err := from.rows(ctx, "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'")
	if err != nil {
		return 0, 0, err
	}
	for _, r := range rows {
		n, err := strconv.ParseInt(r.byName["Value"], 10, 64)
		if err != nil {
			continue
		}
		switch {
		case strings.HasSuffix(r.first, "_wait_sessions"):
			waiting = n
		case strings.HasSuffix(r.first, "_yes_tx"):
			acknowledged = n
		}
	}
	return waiting, acknowledged, nil
}

// asMember makes a copy fit to follow: it has no channel, and an account of the agent's.
func (a provision) asMember(ctx context.Context, op operations.Op, data string) (executed string, err error) {
	op.Progress("starting a private server on the copy", 0, 0)
	p, err := a.startPrivate(ctx, op, beside{data: data})
	if err != nil {
		return "", err
	}
	executed, err = withoutChannel(ctx, p)
	if err != nil {
		p.kill()
		return "", err
	}
	return executed, p.stop()
}

func withoutChannel(ctx context.Context, p *private) (string, error) {
	s, err := openSession(ctx, p.engine, false)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := forgetSource(ctx, s); err != nil {
		return "", err
	}
	executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
	return strings.Join(strings.Fields(executed), ""), err
}
