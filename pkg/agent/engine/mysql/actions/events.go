// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
)

// propertyEvents of an incremental backup: the states of scheduled events, by name, in
// JSON. An applier disables every event that it creates or alters, and the binary log
// does not say afterwards which had been enabled.
const propertyEvents = "events"

// recordEvents and their states.
func recordEvents(ctx context.Context, s *session, m *backup.Meta) error {
	events, err := listEvents(ctx, s)
	if err != nil || len(events) == 0 {
		return err
	}
	states := map[string]string{}
	for _, e := range events {
		states[e.name] = e.state
	}
	content, err := json.Marshal(states)
	m.Properties[propertyEvents] = string(content)
	return err
}

// settleEvents gives the events that the applier has disabled the states that were
// recorded with the last of the logs. One that was not there any more stays disabled.
func settleEvents(ctx context.Context, s *session, recorded string) error {
	states := map[string]string{}
	if recorded != "" {
		if err := json.Unmarshal([]byte(recorded), &states); err != nil {
			return fmt.Errorf("the states of events in the manifest: %w", err)
		}
	}
	events, err := listEvents(ctx, s)
	if err != nil {
		return err
	}
	for _, e := range events {
		to, known := map[string]string{"ENABLED": "ENABLE", "DISABLED": "DISABLE"}[states[e.name]]
		if !known || !strings.HasSuffix(e.state, "SIDE_DISABLED") {
			continue
		}
		// Whoever alters an event defines it, unless it says who does.
		if err := s.exec(ctx, "ALTER DEFINER = "+e.definer+" EVENT "+e.name+" "+to); err != nil {
			return fmt.Errorf("the event %s: %w", e.name, err)
		}
	}
	return nil
}

// event by its name and definer as statements have them.
type event struct{ name, definer, state string }

func listEvents(ctx context.Context, s *session) ([]event, error) {
	rows, err := s.rows(ctx, "SELECT event_schema AS d, event_name AS e, status AS s, definer AS u FROM information_schema.events")
	if err != nil {
		return nil, err
	}
	var out []event
	for _, r := range rows {
		user, host := r.byName["u"], ""
		if i := strings.LastIndexByte(user, '@'); i >= 0 {
			user, host = user[:i], user[i+1:]
		}
		out = append(out, event{
			name:    mysql.Identifier(r.byName["d"]) + "." + mysql.Identifier(r.byName["e"]),
			definer: mysql.Literal(user) + "@" + mysql.Literal(host),
			state:   r.byName["s"],
		})
	}
	return out, nil
}
