// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func (w *world) dropSecret(name string) {
	w.t.Helper()
	w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, name))
}

func (w *world) getSecret(name string) *corev1.Secret {
	secret, ok := controllertest.Get[*corev1.Secret](w.APIServer, name)
	if !ok {
		return nil
	}
	return secret
}

func TestTheAgentIsGivenWhatTheOperationNeeds(t *testing.T) {
	key := bytes.Repeat([]byte{7}, keyBytes)
	store := map[string]string{"accessKey": "own", "secretKey": "s", "region": "r", "pathStyle": "true", "ca": "-----BEGIN\n", "note": "n"}
	storage := map[string]string{"s3.accessKey": "AKIA-access", "s3.secretKey": "very-secret-key", "s3.endpoint": "https://s3:9000"}
	own := map[string]string{"s3.accessKey": "own", "s3.secretKey": "s", "s3.region": "r", "s3.pathStyle": "true", "s3.ca": "-----BEGIN\n"}
	with := func(m map[string]string, k, v string) map[string]string {
		out := map[string]string{k: v}
		for k, v := range m {
			out[k] = v
		}
		return out
	}
	for _, tc := range []struct {
		name    string
		secrets map[string]map[string]string
		call    func(*v1alpha1.GrpcCall)
		want    map[string]string
	}{
		{"the namespace's store", nil, nil, storage},
		{"the set's own store comes first", map[string]map[string]string{"orders-backup": store}, nil, own},
		{"a Secret that is named comes before both", map[string]map[string]string{"orders-backup": {"accessKey": "x", "secretKey": "y"}, "mine": store},
			action(v1alpha1.ActionLogicalBackup, `{"destination":"s3://backups/","destinationSecret":"mine"}`), own},
		{"a file needs none", nil, action(v1alpha1.ActionLogicalBackup, `{"destination":"file:///backup/"}`), map[string]string{}},
		{"set-variable needs none", nil, action(v1alpha1.ActionSetVariable, `{"variables":{"max_connections":5}}`), map[string]string{}},
		{"the set's key, in hexadecimal", map[string]map[string]string{"orders-backup-key": {"key": hex.EncodeToString(key) + "\n"}},
			action(v1alpha1.ActionPhysicalBackup, `{"destination":"s3://backups/","encryption":"AES256"}`), with(storage, "encryption.key", string(key))},
		{"a key that is named, in base64", map[string]map[string]string{"k": {"key": base64.StdEncoding.EncodeToString(key)}},
			action(v1alpha1.ActionPhysicalBackup, `{"destination":"s3://backups/","encryption":"AES256","encryptionSecret":"k"}`), with(storage, "encryption.key", string(key))},
		{"a restore has the set's key if there is one", map[string]map[string]string{"orders-backup-key": {"key": string(key)}},
			action(v1alpha1.ActionRestore, `{"source":"s3://backups/"}`), with(storage, "encryption.key", string(key))},
		{"a restore without a key", nil, action(v1alpha1.ActionRestore, `{"source":"s3://backups/","sourceSecret":"backup-storage"}`), storage},
		{"a password in clear text", nil, clone(`"sourcePassword":"p"`), map[string]string{"source.password": "p"}},
		{"a password from a Secret", map[string]map[string]string{"users": {"u": "q"}}, clone(`"sourcePasswordSecret":"users"`), map[string]string{"source.password": "q"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			for name, data := range tc.secrets {
				w.secret(name, data)
			}
			call := newCall("call")
			if tc.call != nil {
				tc.call(call)
			}
			w.Given(call)
			w.settle()
			op := w.operation("pod-1", call.UID)
			if op == nil {
				t.Fatalf("nothing runs: %+v", w.call("call").Status)
			}
			got := map[string]string{}
			for k, v := range op.Secrets {
				got[k] = string(v)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if bytes.Contains(op.Parameters, []byte("ourcePassword\":\"")) {
				t.Errorf("parameters %s", op.Parameters)
			}
		})
	}
}

func TestTheKeyOfBackupsIsMadeOnceAndAnnounced(t *testing.T) {
	w := newWorld(t)
	encrypted := action(v1alpha1.ActionLogicalBackup, `{"destination":"s3://backups/","encryption":"AES256"}`)
	first := newCall("first", encrypted)
	w.Given(first)
	w.settle()
	made := w.getSecret("orders-backup-key")
	if made == nil || len(made.Data["key"]) != keyBytes || len(made.OwnerReferences) > 0 || len(made.Labels) > 0 || len(made.Finalizers) > 0 {
		t.Fatalf("Secret %+v", made)
	}
	key := made.Data["key"]
	if op := w.operation("pod-1", first.UID); !bytes.Equal(op.Secrets["encryption.key"], key) {
		t.Error("the agent has another key")
	}
	if said := strings.Join(w.said(), "\n"); strings.Count(said, v1alpha1.ReasonKeyCreated) != 1 || !strings.Contains(said, "orders-backup-key") {
		t.Errorf("events:\n%s", said)
	}
	w.succeed("pod-1", first.UID)
	w.settle()
	second := newCall("second", encrypted)
	w.Given(second)
	w.settle()
	if op := w.operation("pod-1", second.UID); !bytes.Equal(op.Secrets["encryption.key"], key) {
		t.Error("the second backup has another key")
	}
	if said := strings.Join(w.said(), "\n"); strings.Contains(said, v1alpha1.ReasonKeyCreated) {
		t.Errorf("events:\n%s", said)
	}
	w.wantNoSecret(string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key))
}

func TestWhatASecretLacksIsNamed(t *testing.T) {
	for _, tc := range []struct {
		name, secret string
		data         map[string]string
		call         func(*v1alpha1.GrpcCall)
		mentions     []string
	}{
		{"half a store", "orders-backup", map[string]string{"accessKey": "a"}, nil, []string{"orders-backup", "secretKey"}},
		{"a key that is too short", "orders-backup-key", map[string]string{"key": "short"}, action(v1alpha1.ActionLogicalBackup, `{"destination":"s3://backups/","encryption":"AES256"}`), []string{"orders-backup-key", "32 bytes"}},
		{"a named key that is not there", "x", nil, action(v1alpha1.ActionLogicalBackup, `{"destination":"s3://backups/","encryption":"AES256","encryptionSecret":"k"}`), []string{"Secret k "}},
		{"a password's key", "users", map[string]string{"root": "r"}, clone(`"sourcePasswordSecret":"users"`), []string{"users", "key u"}},
		{"a password's Secret", "x", nil, clone(`"sourcePasswordSecret":"users"`), []string{"users"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.secret(tc.secret, tc.data)
			call := newCall("call")
			if tc.call != nil {
				tc.call(call)
			}
			w.Given(call)
			w.settle()
			w.wantPhase("call", v1alpha1.GrpcCallPending)
			w.clock.Step(secretWait)
			w.settle()
			w.wantFailed("call", v1alpha1.ReasonSecretMissing, tc.mentions...)
			if op := w.operation("pod-1", call.UID); op != nil {
				t.Errorf("it was started: %+v", op)
			}
		})
	}
}

func TestNoPasswordIsShownWhateverTheAgentSays(t *testing.T) {
	w := newWorld(t)
	call := newCall("clone", clone(`"sourcePassword":"hunter\"2secret"`))
	w.Given(call)
	w.settle()
	w.agents.With("pod-1", func(a *fake.Agent) { a.Operations[string(call.UID)].Progress = `copying with hunter"2secret` })
	w.clock.Step(progressPause)
	w.settle()
	w.agents.With("pod-1", func(a *fake.Agent) {
		a.Finish(string(call.UID), agentclient.OperationFailed, "AccessDenied", `user u with hunter"2secret was refused`, nil)
	})
	w.settle()
	w.wantFailed("clone", "AccessDenied", "user u with *** was refused")
	w.wantNoSecret(`hunter"2secret`, `hunter\"2secret`)
}
