// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// httpTimeout bounds what a request may make the agent do.
const httpTimeout = 3 * time.Second

// healthAnswer is the body of /health.
type healthAnswer struct {
	// Status is ok: the agent is healthy, or it would not have answered.
	Status       string       `json:"status"`
	AgentVersion string       `json:"agentVersion"`
	Namespace    string       `json:"namespace"`
	Unit         string       `json:"unit"`
	Type         string       `json:"type"`
	Role         string       `json:"role,omitempty"`
	Holds        []string     `json:"holds,omitempty"`
	Server       serverAnswer `json:"server"`
}

type serverAnswer struct {
	State    string     `json:"state"`
	Message  string     `json:"message,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
	Version  string     `json:"version,omitempty"`
	Writable bool       `json:"writable"`
}

func newHandler(reader *statusReader, m *metrics, certificates *tlsSource) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(alive(reader.store, certificates)))
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), httpTimeout)
		defer cancel()
		if err := reader.engine.Check(ctx); err != nil {
			http.Error(w, "the database is not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	health := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), httpTimeout)
		defer cancel()
		writeHealth(ctx, w, reader)
	}
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("POST /health", health)
	mux.Handle("GET /metrics", m.handler())
	return mux
}

// alive is ok, for a restart would heal nothing, and what keeps the operator from doing
// its work.
func alive(store *state.Store, certificates *tlsSource) string {
	text := "ok\n"
	if certificates != nil {
		if _, err := certificates.get(); err != nil {
			text += "no certificate, the operator is not let in: " + err.Error() + "\n"
		}
	}
	if _, err := store.Desired(); err != nil {
		text += "what is desired cannot be read, changes are refused: " + err.Error() + "\n"
	}
	return text
}

func writeHealth(ctx context.Context, w http.ResponseWriter, reader *statusReader) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	s, err := reader.read(ctx)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		_ = encoder.Encode(map[string]string{"status": "failed", "message": err.Error()})
		return
	}
	_ = encoder.Encode(healthOf(reader, s))
}

func healthOf(reader *statusReader, s *agentv1.GetStatusResponse) healthAnswer {
	answer := healthAnswer{
		Status:       "ok",
		AgentVersion: s.GetAgentVersion(),
		Namespace:    reader.env.Namespace,
		Unit:         reader.env.Name,
		Type:         reader.env.Type,
		Role:         roleWord(s.GetRole()),
		Holds:        s.GetHolds(),
		Server: serverAnswer{
			State:    stateWord(s.GetServer().GetState()),
			Message:  s.GetServer().GetMessage(),
			Version:  s.GetServer().GetVersion(),
			Writable: s.GetServer().GetWritable(),
		},
	}
	if since := s.GetServer().GetSince(); since != nil {
		t := since.AsTime()
		answer.Server.Since = &t
	}
	return answer
}

func roleWord(role agentv1.Role) string {
	for word, r := range roleNames {
		if r == role {
			return string(word)
		}
	}
	return ""
}

func stateWord(s agentv1.ServerState) string {
	for word, known := range states {
		if known == s {
			return string(word)
		}
	}
	return "Unknown"
}
