// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// newCall creates a GrpcCall and returns its name.
func (e *environment) newCall(t *testing.T, spec v1alpha1.GrpcCallSpec, parameters map[string]string) string {
	t.Helper()
	spec.Parameters = map[string]v1alpha1.JSON{}
	for k, v := range parameters {
		spec.Parameters[k] = v1alpha1.JSON{Raw: fmt.Appendf(nil, "%q", v)}
	}
	call := &v1alpha1.GrpcCall{ObjectMeta: metav1.ObjectMeta{GenerateName: "fault-"}, Spec: spec}
	created, err := e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Create(t.Context(), call, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

func (e *environment) callStatus(ctx context.Context, name string) (v1alpha1.GrpcCallStatus, error) {
	call, err := e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return v1alpha1.GrpcCallStatus{}, err
	}
	return call.Status, nil
}

// finished waits for a result.
func (e *environment) finished(t *testing.T, name string) v1alpha1.GrpcCallStatus {
	t.Helper()
	var status v1alpha1.GrpcCallStatus
	eventually(t, 4*time.Minute, "the result of "+name, func(ctx context.Context) (err error) {
		if status, err = e.callStatus(ctx, name); err == nil && status.Result == "" {
			err = fmt.Errorf("%s: %s", status.Phase, status.Message)
		}
		return err
	})
	t.Logf("%s: %s: %s", name, status.Result, status.Message)
	return status
}

// manifests are the complete backups below a folder of the bucket, and parts what
// lies there beside them.
func (s store) manifests(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(s.dir, "backups", folder), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, "manifest.json") {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestOperationsUnderFaults(t *testing.T) {
	e := requireBed(t)
	s := e.startStore(t)
	e.operationsNamespace(t, s)
	r := postgresqlRows
	r.set = "ops-faults"
	e.smallSet(t, v1alpha2.UnitType(r.kind), r.set, r.admin, 1)
	unit := r.unit(0)
	e.sql(t, r.kind, unit, "", r.makeDatabase)
	e.sql(t, r.kind, unit, "shop", r.makeTable)
	for range 20 {
		e.sql(t, r.kind, unit, "shop", r.more)
	}
	backup := v1alpha1.GrpcCallSpec{
		TargetUnit: unit, Type: r.kind, Action: v1alpha1.ActionPhysicalBackup, TTLSecondsAfterFinished: new(int32(3600)),
	}
	folder := func(name string) string { return "s3://backups/faults/" + name + "/" }

	t.Run("an operator killed at any time of a call runs it once", func(t *testing.T) {
		for i := range 6 {
			name := fmt.Sprintf("killed-%d", i)
			call := e.newCall(t, backup, map[string]string{"destination": folder(name)})
			time.Sleep(time.Duration(i) * 60 * time.Millisecond)
			e.restartOperator(t)
			if status := e.finished(t, call); status.Result != v1alpha1.ResultSuccess {
				t.Errorf("killed %d ms after its creation the call ends as %s: %s", i*60, status.Result, status.Message)
			}
			if found := s.manifests(t, "faults/"+name); len(found) != 1 {
				t.Errorf("%d backups were made: %v", len(found), found)
			}
		}
	})

	t.Run("an agent killed in the middle ends the call honestly and leaves no half backup", func(t *testing.T) {
		call := e.newCall(t, backup, map[string]string{"destination": folder("agent")})
		eventually(t, time.Minute, "the call to run", func(ctx context.Context) error {
			status, err := e.callStatus(ctx, call)
			if err == nil && status.Phase != v1alpha1.GrpcCallRunning && status.Result == "" {
				err = fmt.Errorf("phase %s", status.Phase)
			}
			return err
		})
		pid, err := hostProcess(unit, agentProcess)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		status, found := e.finished(t, call), s.manifests(t, "faults/agent")
		if want := map[v1alpha1.Result]int{v1alpha1.ResultSuccess: 1, v1alpha1.ResultFailed: 0}[status.Result]; len(found) != want {
			t.Errorf("%s with %d backups listed: %v", status.Result, len(found), found)
		}
	})

	t.Run("two calls at once queue and both succeed", func(t *testing.T) {
		first := e.newCall(t, backup, map[string]string{"destination": folder("one")})
		second := e.newCall(t, backup, map[string]string{"destination": folder("two")})
		for _, call := range []string{first, second} {
			if status := e.finished(t, call); status.Result != v1alpha1.ResultSuccess {
				t.Errorf("%s: %s", status.Result, status.Message)
			}
		}
	})

	t.Run("a call deleted in its middle goes and leaves no half backup", func(t *testing.T) {
		call := e.newCall(t, backup, map[string]string{"destination": folder("deleted")})
		time.Sleep(300 * time.Millisecond)
		if err := e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Delete(t.Context(), call, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "the call to go", func(ctx context.Context) error {
			_, err := e.callStatus(ctx, call)
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("it is still there (%v)", err)
		})
	})

	t.Run("wrong credentials and a store that refuses are told without a secret", func(t *testing.T) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "wrong"}, StringData: map[string]string{
			"endpoint": s.endpoint, "region": "us-east-1", "pathStyle": "true", "accessKey": s.accessKey, "secretKey": "not-the-key-at-all",
		}}
		refused := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "refused"}, StringData: map[string]string{
			"endpoint": "http://" + e.host(t) + ":1", "region": "us-east-1", "pathStyle": "true", "accessKey": s.accessKey, "secretKey": s.secretKey,
		}}
		for _, x := range []*corev1.Secret{secret, refused} {
			_ = e.kube.CoreV1().Secrets(opsNamespace).Delete(t.Context(), x.Name, metav1.DeleteOptions{})
			if _, err := e.kube.CoreV1().Secrets(opsNamespace).Create(t.Context(), x, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			status := e.finished(t, e.newCall(t, backup, map[string]string{"destination": folder(x.Name), "destinationSecret": x.Name}))
			if status.Result != v1alpha1.ResultFailed {
				t.Errorf("%s: %s: %s", x.Name, status.Result, status.Message)
			}
			for _, value := range []string{s.secretKey, "not-the-key-at-all"} {
				if strings.Contains(status.Message, value) {
					t.Errorf("the message tells a secret: %s", status.Message)
				}
			}
		}
	})

	t.Run("a restore that fails leaves the old data serving", func(t *testing.T) {
		want := e.sql(t, r.kind, unit, "shop", r.sum)
		restore := backup
		restore.Action = v1alpha1.ActionRestore
		if status := e.finished(t, e.newCall(t, restore, map[string]string{"source": folder("nothing-there"), "overwrite": "true"})); status.Result != v1alpha1.ResultFailed {
			t.Errorf("%s: %s", status.Result, status.Message)
		}
		if got := e.sql(t, r.kind, unit, "shop", r.sum); got != want {
			t.Errorf("rows sum up to %q, want %q", got, want)
		}
	})

	t.Run("a finished call goes when its time to live has passed", func(t *testing.T) {
		short := backup
		short.TTLSecondsAfterFinished = new(int32(3))
		call := e.newCall(t, short, map[string]string{"destination": folder("ttl")})
		completed := e.finished(t, call).CompletionTime
		eventually(t, 30*time.Second, "the call to go", func(ctx context.Context) error {
			if _, err := e.callStatus(ctx, call); apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("it is still there")
		})
		if lived := time.Since(completed.Time); lived < 3*time.Second {
			t.Errorf("it went after %v", lived)
		}
	})

	t.Run("no command line, log, event or status tells a secret", func(t *testing.T) { e.tellsNoSecret(t) })
}
