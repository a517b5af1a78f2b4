// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"fmt"
	"maps"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/journal"
)

// outcome is how an operation ended.
type outcome struct {
	state           journal.State
	reason, message string
	result          map[string]string
}

// resultMessage is the key of a result that is the outcome's sentence.
const resultMessage = "message"

func success(result map[string]string, secrets map[string][]byte) outcome {
	o := outcome{state: journal.Succeeded, message: "done", result: maps.Clone(result)}
	if m := result[resultMessage]; m != "" {
		o.message = sanitize(m, secrets)
	}
	delete(o.result, resultMessage)
	for key, text := range o.result {
		o.result[key] = sanitize(text, secrets)
	}
	return o
}

func abandoned(cancelled bool, phase string, err error, secrets map[string][]byte) outcome {
	what := "the agent ended while the operation ran"
	if cancelled {
		what = "cancelled"
	}
	if phase != "" {
		what += " in phase " + phase
	}
	switch {
	case err != nil:
		reason := ReasonOf(err)
		if reason == ReasonFailed {
			reason = ReasonCleanupFailed
		}
		return outcome{state: journal.Failed, reason: reason, message: sanitize(fmt.Sprintf("%s; cleaning up: %v", what, err), secrets)}
	case cancelled:
		return outcome{state: journal.Cancelled, message: what}
	}
	return outcome{state: journal.Failed, reason: ReasonInterrupted, message: what}
}

// notSecret are the contents handed over as secrets that people may read.
var notSecret = map[string]bool{"s3.endpoint": true, "s3.region": true, "s3.pathStyle": true, "s3.ca": true}

// sanitize makes a text fit for status, logs and the protocol: valid, bounded, and
// without the secrets that a tool may have quoted.
func sanitize(text string, secrets map[string][]byte) string {
	for name, content := range secrets {
		// Shorter ones would take ordinary words out of the text.
		if s := strings.TrimSpace(string(content)); !notSecret[name] && len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
