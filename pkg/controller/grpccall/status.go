// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

// progressPause is the least time between two writes of progress.
const progressPause = 30 * time.Second

// maxMessage is what a message of somebody else's is cut to.
const maxMessage = 4096

// maxNote is what it is cut to in an event, beside what the event says itself.
const maxNote = 640

func (c *Controller) set(s *state, conditionType string, value metav1.ConditionStatus, reason, message string) (changed bool) {
	return conditions.Set(&s.status.Conditions, conditionType, value, reason, message, s.call.Generation, c.cfg.Clock.Now())
}

// finish a call, for good.
func (c *Controller) finish(s *state, result v1alpha1.Result, reason, message string) {
	message = conditions.Cut(message, maxMessage)
	s.status.Result, s.status.Message, s.status.Phase = result, message, v1alpha1.GrpcCallFinished
	s.status.CompletionTime = new(metav1.NewTime(c.cfg.Clock.Now().Truncate(time.Second)))
	s.status.QueuePosition, s.status.Progress = 0, ""
	if s.status.Operation != nil {
		c.set(s, v1alpha1.ConditionRunning, metav1.ConditionFalse, reason, "the operation is over")
	} else {
		c.set(s, v1alpha1.ConditionAccepted, metav1.ConditionFalse, reason, message)
	}
	c.set(s, v1alpha1.ConditionComplete, metav1.ConditionTrue, reason, message)
	s.events = append(s.events, func() {
		write := c.control.Events.Warning
		if result == v1alpha1.ResultSuccess {
			write = c.control.Events.Normal
		}
		write(s.call, reason, actionRun, "%s of Unit %s: %s", s.call.Spec.Action, s.call.Spec.TargetUnit, conditions.Cut(message, maxNote))
	})
	s.again = 0
}

func (c *Controller) fail(s *state, reason, format string, args ...any) {
	c.finish(s, v1alpha1.ResultFailed, reason, fmt.Sprintf(format, args...))
}

// clean a text of somebody else's: no password of the call's, and bounded.
func (c *Controller) clean(s *state, text string) string {
	return conditions.Cut(redact(text, parameterSecrets(s.call)), maxMessage)
}

// parameterSecrets are those in clear text.
func parameterSecrets(call *v1alpha1.GrpcCall) agentclient.Secrets {
	raw := call.Spec.Parameters["sourcePassword"].Raw
	if len(raw) == 0 {
		return nil
	}
	text := string(raw) // a number or a boolean is its own text
	if err := json.Unmarshal(raw, &text); err != nil {
		text = string(raw)
	}
	return agentclient.Secrets{"source.password": []byte(text)}
}

var reasonPattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)

// finishWith what the agent says became of the operation.
func (c *Controller) finishWith(s *state, op *agentclient.Operation) {
	said := c.clean(s, op.Message)
	switch op.State {
	case agentclient.OperationSucceeded:
		s.status.Outputs = c.outputs(s, op.Result)
		c.finish(s, v1alpha1.ResultSuccess, v1alpha1.ReasonSucceeded, cmp.Or(said, "done"))
	case agentclient.OperationCancelled:
		c.finish(s, v1alpha1.ResultFailed, v1alpha1.ReasonCancelled, cmp.Or(said, "cancelled"))
	default:
		reason := v1alpha1.ReasonFailed
		if reasonPattern.MatchString(op.Reason) {
			reason = op.Reason
		}
		c.finish(s, v1alpha1.ResultFailed, reason, cmp.Or(said, "the agent gave no reason"))
	}
}

// outputs of an operation, bounded.
func (c *Controller) outputs(s *state, result map[string]string) map[string]string {
	const most, bytes = 32, 1024
	out := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(result)) {
		if len(out) < most && len(key) <= 128 {
			out[key] = conditions.Cut(redact(result[key], parameterSecrets(s.call)), bytes)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// progress of an operation for people.
func progress(op *agentclient.Operation) string {
	var bytes string
	switch {
	case op.BytesTotal > 0:
		bytes = humanBytes(op.BytesDone) + " of about " + humanBytes(op.BytesTotal)
	case op.BytesDone > 0:
		bytes = humanBytes(op.BytesDone)
	}
	switch {
	case op.Progress == "":
		return bytes
	case bytes == "":
		return conditions.Cut(op.Progress, 256)
	}
	return conditions.Cut(op.Progress, 256) + ": " + bytes
}

func humanBytes(n int64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/step, 0
	for value >= step && unit < 4 {
		value, unit = value/step, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[unit])
}
