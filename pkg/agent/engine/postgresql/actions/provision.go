// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// reasonDonorChanged: another server is where the donor was.
const reasonDonorChanged = "DonorChanged"

// provision makes the unit's data a copy of another member's, that can follow it. It is
// made alongside the data, by a base backup.
type provision struct{ unit }

var (
	_ operations.Abandoner = provision{}
	_ operations.Recoverer = provision{}
)

// Run implements operations.Action.
func (a provision) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); recovery(phase) == operations.RecoverAtOnce {
		return a.side().Resume(ctx, op)
	}
	p, err := params[*operation.Provision](op)
	if err != nil {
		return nil, err
	}
	if err := a.mayProvision(ctx, p); err != nil {
		return nil, err
	}
	from, err := a.remote(op, p.Donor.Host, p.Donor.Port, p.Donor.User)
	if err != nil {
		return nil, err
	}
	from.tls = postgresql.ChannelTLS(a.Env)
	d, err := a.askDonor(ctx, from, p.Donor)
	if err != nil {
		return nil, err
	}
	result := map[string]string{
		"donor": p.Donor.Name, "donorServerID": p.Donor.ServerID, "donorGeneration": strconv.FormatInt(p.Donor.DataGeneration, 10),
		"message": "copied from " + from.address(),
	}
	return a.exchangeServer(ctx, op, replacement{need: d.size + d.size/10, result: result, build: func(ctx context.Context) error {
		if err := from.copy(ctx, op, a.sideData(), d.size, d.throughSlot()...); err != nil {
			return err
		}
		if err := isCopyOf(a.sideData(), p.Donor); err != nil {
			return err
		}
		if err := a.asStandby(ctx, op, a.sideData()); err != nil {
			return err
		}
		return a.sameRole()
	}})
}

// Recover implements operations.Recoverer: the copy is made again from scratch once the
// Replication hands the password over again.
func (a provision) Recover(phase string) operations.Recovery {
	if r := recovery(phase); r == operations.RecoverAtOnce {
		return r
	}
	return operations.RecoverWithSecrets
}

// Abandon implements operations.Abandoner.
func (a provision) Abandon(ctx context.Context, op operations.Op) error { return a.abandon(ctx, op) }

// mayProvision fails unless the unit's data is pristine, or of the server whose data may
// be replaced.
func (a provision) mayProvision(ctx context.Context, p *operation.Provision) error {
	o, err := a.Engine.Observe(ctx)
	if err != nil {
		return a.mayReplaceSilent(ctx, p, err)
	}
	switch {
	case o.Writable:
		return operations.Failed("Refused", "the server takes writes: they would be lost")
	case !o.Virgin && !p.Replace:
		return operations.Failed(operation.ReasonWouldOverwrite, "the unit has data, and nobody has permitted to replace it")
	case !o.Virgin && o.SystemID != p.ServerID:
		return wouldOverwrite(o.SystemID, p)
	}
	return nil
}

func wouldOverwrite(id string, p *operation.Provision) error {
	return operations.Failed(operation.ReasonWouldOverwrite, "the unit has the data of server %s, permitted is to replace that of %s", id, p.ServerID)
}

// mayReplaceSilent is mayProvision for a server that does not answer: one whose data is
// beyond it is made again like this. Only a standby is known to take no writes.
func (a provision) mayReplaceSilent(ctx context.Context, p *operation.Provision, silence error) error {
	_, err := os.Lstat(filepath.Join(a.Env.DataDir(), standbySignal))
	if !p.Replace || errors.Is(err, os.ErrNotExist) {
		return operations.Failed(operation.ReasonServerNotRunning, "the server does not answer: %w", silence)
	}
	if err != nil {
		return err
	}
	data, err := a.Engine.Inspect(ctx)
	if err == nil && data.SystemID != p.ServerID {
		err = wouldOverwrite(data.SystemID, p)
	}
	return err
}

// sameRole fails if the unit was given a part in its topology while its copy was made: in
// a pod that has no role yet that waits for nobody.
func (a provision) sameRole() error {
	if a.Store == nil {
		return nil
	}
	desired, err := a.Store.Desired()
	if err != nil || desired == nil {
		return err
	}
	switch role := desired.EffectiveRecord().Role; role {
	case engine.RoleSource, engine.RoleReplica:
		return operations.Failed(operations.ReasonRoleChanged, "the server is recorded as %s by now, its data stays as it is", role)
	}
	return nil
}

// donor is what it says before the copy.
type donor struct {
	size int64
	// slot of this unit there; empty if it has none that can be used now.
	slot string
}

// askDonor fails unless the server is the one that is meant, and can be copied.
func (a provision) askDonor(ctx context.Context, from remote, expected operation.Donor) (d donor, err error) {
	conn, err := from.connect(ctx, home)
	if err != nil {
		return d, err
	}
	defer postgresql.Disconnect(ctx, conn)
	id, err := systemOf(ctx, conn)
	if err != nil {
		return d, err
	}
	if id != expected.ServerID {
		return d, donorChanged(id, expected)
	}
	if d.size, err = from.copyable(ctx, conn); err != nil {
		return d, err
	}
	d.slot, err = usableSlot(ctx, conn, settings.SlotName(a.Env.Name))
	return d, err
}

func donorChanged(id string, expected operation.Donor) error {
	return operations.Failed(reasonDonorChanged, "%s:%d is the server %s, not %s of unit %s", expected.Host, expected.Port, id, expected.ServerID, expected.Name)
}

// usableSlot is the slot if there is one that keeps WAL and nobody uses. One that somebody
// uses is that of this unit's receiver of before, whose end the donor has yet to notice: it
// keeps the WAL since then in any case. The version 12 does not know wal_status.
func usableSlot(ctx context.Context, conn *pgx.Conn, name string) (string, error) {
	names, err := list(ctx, conn, `SELECT slot_name::text FROM pg_replication_slots AS s WHERE slot_name = $1 AND slot_type = 'physical' AND NOT active
AND coalesce(to_jsonb(s)->>'wal_status', '') NOT IN ('lost', 'unreserved')`, name)
	if err != nil || len(names) == 0 {
		return "", err
	}
	return names[0], nil
}

// throughSlot are the arguments by which the slot keeps the WAL from the copy until the unit
// follows, and none of before.
func (d donor) throughSlot() []string {
	if d.slot == "" {
		return nil
	}
	return []string{"--slot=" + d.slot}
}

// isCopyOf fails unless data is of the donor: pg_basebackup asked the address, where by then
// another server may have answered.
func isCopyOf(data string, expected operation.Donor) error {
	id, err := postgresql.SystemID(data)
	if err == nil && id != expected.ServerID {
		err = donorChanged(id, expected)
	}
	return err
}
