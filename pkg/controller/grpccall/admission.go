// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// unitWait is how long a call waits for what it needs before it has Failed.
	unitWait = 10 * time.Minute
	// totalWait is how long it waits for one thing after the other.
	totalWait = 30 * time.Minute
	// secretWait is that for a Secret, which holds up the calls behind.
	secretWait = time.Minute
)

// verdict on a call that has not started.
type verdict int

const (
	// refuse it for good.
	refuse verdict = iota
	// wait for something that may come, for a while.
	wait
	// enqueue it behind others, for as long as they take.
	enqueue
	// admit it: its turn has come.
	admit
)

// decision is a verdict and why.
type decision struct {
	verdict         verdict
	reason, message string
	// limit of a wait.
	limit time.Duration
}

func refused(reason, format string, args ...any) decision {
	return decision{verdict: refuse, reason: reason, message: fmt.Sprintf(format, args...)}
}

func waits(reason, format string, args ...any) decision {
	return decision{verdict: wait, reason: reason, message: fmt.Sprintf(format, args...), limit: unitWait}
}

// admission is what is known of a call that has not started.
type admission struct {
	call *v1alpha1.GrpcCall
	// unit is nil if there is none.
	unit   *slim.Unit
	podUp  bool
	member membership.Membership
	queue  queue
}

// decide whether the call may start.
func decide(in admission) decision {
	call, unit := in.call, in.unit
	params, _, err := decode(call)
	switch {
	case err != nil:
		return refused(v1alpha1.ReasonInvalidParameters, "%v", err)
	case unit == nil || unit.DeletionTimestamp != nil:
		return waits(v1alpha1.ReasonUnitNotFound, "Unit %s does not exist", call.Spec.TargetUnit)
	case string(unit.Type) != string(call.Spec.Type):
		return refused(v1alpha1.ReasonTypeMismatch, "type is %s, but Unit %s is of type %s", call.Spec.Type, unit.Name, unit.Type)
	case unit.OwnCommand:
		return refused(v1alpha1.ReasonOwnCommand, "container %s of Unit %s brings its own command and is left alone", unit.Type, unit.Name)
	case operation.IsBackup(string(call.Spec.Action)) && unit.Annotations[v1alpha2.AnnotationBackupEnabled] == "false":
		return refused(v1alpha1.ReasonBackupDisabled, "annotation %s of Unit %s is \"false\"", v1alpha2.AnnotationBackupEnabled, unit.Name)
	}
	if d, ok := decideMember(in, params); ok {
		return d
	}
	if in.queue.position() > 0 {
		return decision{verdict: enqueue, message: queuedMessage(in.queue)}
	}
	switch {
	case unit.Annotations[v1alpha2.AnnotationEvacuate] == v1alpha2.EvacuateRemove:
		return waits(v1alpha1.ReasonUnitLeaving, "Unit %s is being removed", unit.Name)
	case unit.Annotations[v1alpha2.AnnotationEvacuate] == v1alpha2.EvacuateRestart:
		return waits(v1alpha1.ReasonUnitRestarting, "Unit %s is evacuated and restarted first", unit.Name)
	case interlock.RestartDue(unit.Status.Conditions):
		return waits(v1alpha1.ReasonUnitRestarting, "Unit %s is restarted first", unit.Name)
	case !in.podUp:
		return waits(v1alpha1.ReasonPodNotRunning, "the agent of Unit %s does not run", unit.Name)
	// What replaces the data may be what a server that does not come up needs.
	case interlock.Starting(unit.Status.Conditions) && !interlock.ReplacesData(call.Spec.Action):
		return waits(v1alpha1.ReasonServerStarting, "the server of Unit %s does not answer yet", unit.Name)
	}
	return decision{verdict: admit}
}

// decideMember of a Replication: data is replaced on its source only, and only if
// that is asked for.
func decideMember(in admission, params operation.Params) (decision, bool) {
	owner := in.member.Owner
	if owner == nil {
		return decision{}, false
	}
	// replaces: without overwrite it would have nothing to do. What overwrites nothing is
	// ordinary transactions, which the replicas get.
	var replaces, overwrite bool
	switch p := params.(type) {
	case *operation.GTIDPurge:
		return refused(v1alpha1.ReasonMemberOfReplication, "Unit %s is a member of %s, which keeps its GTIDs", in.unit.Name, owner), true
	case *operation.Restore:
		// Only the agent reads whether the backup is a logical one.
		overwrite = p.Overwrite
	case *operation.Clone:
		replaces, overwrite = len(p.Databases) == 0 && len(p.SkipTables) == 0, p.Overwrite
	default:
		return decision{}, false
	}
	switch action, source := in.call.Spec.Action, owner.Source; {
	case in.member.Contested():
		return waits(v1alpha1.ReasonMemberTaken, "Unit %s is listed by %s and by %s: %s waits until it is by one of them only", in.unit.Name, owner, in.member.Names(), action), true
	case source == "":
		return waits(v1alpha1.ReasonNoSource, "Unit %s is a member of %s, which has no source now: %s runs on the source only", in.unit.Name, owner, action), true
	case source != in.unit.Name:
		return refused(v1alpha1.ReasonNotTheSource, "Unit %s is a replica of %s: %s runs on its source only, which is %s", in.unit.Name, owner, action, source), true
	case overwrite && !owner.MayReplace && owner.Replacer != in.call.UID && in.queue.position() == 0:
		return waits(v1alpha1.ReasonReplicationPreparing, "%s isolates the other members of Unit %s before its data is replaced", owner, in.unit.Name), true
	case replaces && !overwrite:
		return refused(v1alpha1.ReasonOverwriteRequired, "Unit %s is the source of %s: %s replaces the data of all members and wants parameter overwrite \"true\"", in.unit.Name, owner, action), true
	}
	return decision{}, false
}

func queuedMessage(q queue) string {
	switch {
	case q.running != nil && len(q.before) > 0:
		return fmt.Sprintf("waits for GrpcCall %s (%s), which runs, and %d more", q.running.Name, q.running.Spec.Action, len(q.before))
	case q.running != nil:
		return fmt.Sprintf("waits for GrpcCall %s (%s), which runs", q.running.Name, q.running.Spec.Action)
	case len(q.before) > 1:
		return fmt.Sprintf("waits for GrpcCall %s (%s) and %d more", q.before[0].Name, q.before[0].Spec.Action, len(q.before)-1)
	}
	return fmt.Sprintf("waits for GrpcCall %s (%s)", q.before[0].Name, q.before[0].Spec.Action)
}

// decode the parameters of a call.
func decode(call *v1alpha1.GrpcCall) (operation.Params, operation.SecretRefs, error) {
	parameters := make(map[string]json.RawMessage, len(call.Spec.Parameters))
	for key, value := range call.Spec.Parameters {
		parameters[key] = value.Raw
	}
	return operation.Decode(string(call.Spec.Type), string(call.Spec.Action), parameters)
}
