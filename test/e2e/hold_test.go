// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// gate is a way to a server on which nothing moves until it is opened.
type gate struct {
	address string
	open    chan struct{}
}

func newGate(t *testing.T, host, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: l.Addr().String(), open: make(chan struct{})}
	over, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { g.pass(over, in, to) })
		}
	})
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		wg.Wait()
	})
	return g
}

// pass a connection on once the gate is open.
func (g *gate) pass(over context.Context, in net.Conn, to string) {
	defer in.Close()
	select {
	case <-g.open:
	case <-over.Done():
		return
	}
	out, err := (&net.Dialer{}).DialContext(over, "tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	defer context.AfterFunc(over, func() { _, _ = in.Close(), out.Close() })()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		_ = out.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(in, out)
	_ = in.Close()
	<-done
}

// standalone makes a PostgreSQL server without a set and waits until it is Ready.
func (e *environment) standalone(t *testing.T, name string) {
	t.Helper()
	e.standaloneOf(t, "postgresql", name)
}

// standaloneOf is standalone for a server of any kind.
func (e *environment) standaloneOf(t *testing.T, kind, name string) {
	t.Helper()
	version := e.versions[kind]
	if version == "" {
		t.Skipf("no image of %s on this cluster", kind)
	}
	database := map[string]corev1.Container{
		"postgresql": {Image: "postgres:" + version, Env: []corev1.EnvVar{{Name: "POSTGRES_PASSWORD", Value: "not-used-here"}}},
		"mysql":      {Image: "mysql:" + version},
	}[kind]
	database.Name, database.VolumeMounts = kind, []corev1.VolumeMount{{Name: "data", MountPath: "/DATA_MOUNT"}}
	unit := &v1alpha2.Unit{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha2.UnitSpec{
			UnbindNode:                           new(true),
			PersistentVolumeClaimRetentionPolicy: &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenDeleted: v1alpha2.DeleteClaims},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{database},
				Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name + "-data"},
				}}},
			}},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
				},
			}},
		},
	}
	if _, err := e.upm.UpmV1alpha2().Units(opsNamespace).Create(t.Context(), unit, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		if out, err := e.kubectlCommand(ctx, "delete", "unit", name, "-n", opsNamespace, patiently).CombinedOutput(); err != nil {
			t.Errorf("kubectl delete unit: %v\n%s", err, out)
		}
	})
	eventually(t, 3*time.Minute, name+" to be ready", func(ctx context.Context) error {
		return e.unitPhase(ctx, opsNamespace, name, v1alpha2.UnitReady)
	})
}

// gatedSecret is the Secret of a store that is reached through the gate.
func (e *environment) gatedSecret(t *testing.T, s store, g *gate) string {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "gated"}, StringData: map[string]string{
		"endpoint": "http://" + g.address, "region": "us-east-1", "pathStyle": "true", "accessKey": s.accessKey, "secretKey": s.secretKey,
	}}
	secrets := e.kube.CoreV1().Secrets(opsNamespace)
	if err := secrets.Delete(t.Context(), secret.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return secret.Name
}

// newGrace is in the template that a Unit has later.
const newGrace = 601

// retemplate changes a Unit's template: its pod is to be replaced.
func (e *environment) retemplate(t *testing.T, name string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":%d}}}}`, newGrace)
	if _, err := e.upm.UpmV1alpha2().Units(opsNamespace).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A restart waits for the backup that runs, and the backup that is queued for the
// restart.
func TestARestartWaitsForABackupThatRuns(t *testing.T) {
	e := require(t)
	s := e.startStore(t)
	e.operationsNamespace(t, s)
	const unit = "hold"
	e.standalone(t, unit)
	g := newGate(t, e.host(t), strings.TrimPrefix(s.endpoint, "http://"))
	secret := e.gatedSecret(t, s, g)
	backup := func(folder string) string {
		return e.newCall(t, folder, unit, v1alpha1.UnitTypePostgreSQL, v1alpha1.ActionPhysicalBackup, map[string]any{
			"destination": "s3://backups/hold/" + folder + "/", "destinationSecret": secret,
		})
	}
	old := e.pod(t, opsNamespace, unit)

	running := backup("running")
	eventually(t, time.Minute, "the backup to run", func(ctx context.Context) error {
		status, err := e.callStatus(ctx, running)
		if err == nil && status.Phase != v1alpha1.GrpcCallRunning {
			err = fmt.Errorf("phase %s: %s", status.Phase, status.Message)
		}
		return err
	})
	queued := backup("queued")
	e.retemplate(t, unit)
	eventually(t, time.Minute, "the restart to wait for the backup, by its name", func(ctx context.Context) error {
		u, err := e.upm.UpmV1alpha2().Units(opsNamespace).Get(ctx, unit, metav1.GetOptions{})
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(u.Status.Conditions, "UpdatePending")
		if c == nil || c.Reason != "OperationRunning" || !strings.Contains(c.Message, running) {
			return fmt.Errorf("conditions: %s", sentence(u.Status.Conditions))
		}
		t.Log(c.Message)
		return nil
	})
	if p := e.pod(t, opsNamespace, unit); p.UID != old.UID || p.DeletionTimestamp != nil {
		t.Fatalf("pod %s is there, being deleted at %v", p.UID, p.DeletionTimestamp)
	}

	close(g.open)
	if status := e.finished(t, running); status.Result != v1alpha1.ResultSuccess {
		t.Errorf("%s: %s", status.Result, status.Message)
	}
	if found := s.manifests(t, "hold/running"); len(found) != 1 {
		t.Errorf("backups: %v", found)
	}
	status := e.finished(t, queued)
	now := e.pod(t, opsNamespace, unit)
	if now.UID == old.UID || *now.Spec.TerminationGracePeriodSeconds != newGrace {
		t.Errorf("the pod was not replaced: it is given %d s to stop", *now.Spec.TerminationGracePeriodSeconds)
	}
	if status.Result != v1alpha1.ResultSuccess || status.Operation == nil || status.Operation.PodUID != now.UID {
		t.Errorf("the queued backup ends as %s (%s) in %+v, want the new pod %s", status.Result, status.Message, status.Operation, now.UID)
	}
	eventually(t, time.Minute, "the unit to be ready", func(ctx context.Context) error {
		return e.unitPhase(ctx, opsNamespace, unit, v1alpha2.UnitReady)
	})
}
