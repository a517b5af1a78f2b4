// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Engines are what the agent knows of servers.
type Engines struct {
	New     func(engine.Env) (engine.Engine, error)
	Actions func(operations.Deps) map[string]operations.Action
}

// verify restores a backup on a private server in the empty directory work, and says whether
// what comes back is what was backed up. It leaves nothing there.
func (e Engines) verify(ctx context.Context, m *backup.Manifest, work string, secrets map[string][]byte, progress func(string)) (_ string, err error) {
	env, err := engine.EnvFrom(append(os.Environ(), "UNIT_TYPE="+m.Engine, "UNIT_NAME="+m.Unit, "UNIT_NAMESPACE="+m.Namespace, "UNIT_SET="+m.Set,
		"UNIT_CLUSTER_UID="+m.Cluster, "UNIT_UID=none", "POD_UID=none", "DATA_DIR_MOUNT="+work, "BACKUP_MOUNT=", engine.EnvSocketDir+"="+work))
	if err != nil {
		return "", err
	}
	eng, err := e.New(env)
	if err != nil {
		return "", err
	}
	action, ok := e.Actions(operations.Deps{Env: env, Engine: eng, Store: state.NewStore(env.StateDir, state.Files{})})[operation.ActionVerify]
	if !ok {
		return "", fmt.Errorf("backups of %s are not restored by unit-agent", m.Engine)
	}
	if err := os.Mkdir(env.AgentDir(), 0o700); err != nil {
		return "", err
	}
	op := &lone{params: &operation.Restore{Source: m.Location().String()}, secrets: secrets, progress: progress}
	defer func() {
		// What was restored is of no more use, however that has ended.
		removed := errors.Join(os.RemoveAll(env.AgentDir()), operations.RemoveSecretFiles(env, op.ID()))
		if err == nil {
			err = removed
		}
	}()
	result, err := action.Run(ctx, op)
	return result["message"], err
}

// lone is an operation that nobody has recorded.
type lone struct {
	params   operation.Params
	secrets  map[string][]byte
	progress func(string)
}

func (o *lone) ID() string                       { return fmt.Sprintf("verify-%d", os.Getpid()) }
func (o *lone) Action() string                   { return operation.ActionVerify }
func (o *lone) Params() operation.Params         { return o.params }
func (o *lone) Secrets() map[string][]byte       { return o.secrets }
func (o *lone) Phase() (string, json.RawMessage) { return "", nil }
func (o *lone) SetPhase(string, any) error       { return nil }
func (o *lone) Progress(text string, _, _ int64) { o.progress(text) }
