// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// opsNamespace is that of the sets of these tests.
const opsNamespace = "operations"

// store is a real S3 server on this machine, at the address by which the nodes
// reach the control plane.
type store struct{ endpoint, accessKey, secretKey, dir string }

func (e *environment) startStore(t *testing.T) store { return e.startStoreIn(t, t.TempDir()) }

// startStoreIn keeps the objects in a directory, and with flags says how.
func (e *environment) startStoreIn(t *testing.T, dir string, flags ...string) store {
	t.Helper()
	requireBed(t)
	out, err := exec.CommandContext(t.Context(), e.bed, "build", "s3").Output()
	if err != nil {
		t.Fatalf("building an S3 server: %v", err)
	}
	lines := strings.Fields(string(out))
	host := e.host(t)
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := store{endpoint: "http://" + address, accessKey: rand.Text(), secretKey: rand.Text(), dir: dir}
	for _, bucket := range []string{"backups"} {
		if err := os.Mkdir(filepath.Join(s.dir, bucket), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(lines[len(lines)-1], "versitygw"), append(append([]string{"--port", address, "posix"}, flags...), s.dir)...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.accessKey, "ROOT_SECRET_KEY="+s.secretKey)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, 20*time.Second, "the S3 server", func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	return s
}

// manifests of the complete backups below a folder of the bucket.
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

// host is this machine's address as the nodes know it.
func (e *environment) host(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(e.config.Host, "://")
	host, _, err := net.SplitHostPort(rest)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// operationsNamespace makes the namespace, with the Secret of the store by the
// name that needs no parameter.
func (e *environment) operationsNamespace(t *testing.T, s store) {
	t.Helper()
	e.ensureNamespace(t, opsNamespace)
	e.storeSecret(t, "backup-storage", s)
}

// ensureNamespace makes a namespace, unless it is there.
func (e *environment) ensureNamespace(t *testing.T, name string) {
	t.Helper()
	_, err := e.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// smallSet is a set of standalone servers that fit beside others.
func (e *environment) smallSet(t *testing.T, kind v1alpha2.UnitType, name, admin string, units int32) {
	t.Helper()
	e.createSmallSet(t, kind, name, admin, units, adminPassword)
	e.smallSetReady(t, name)
}

// adminPassword is that of the sets' administrators.
const adminPassword = "a password's \"quotes\""

func (e *environment) smallSetReady(t *testing.T, name string) {
	t.Helper()
	eventually(t, 5*time.Minute, name+" to be ready", func(ctx context.Context) error { return e.setReady(ctx, opsNamespace, name) })
}

// createSmallSet does not wait for it.
func (e *environment) createSmallSet(t *testing.T, kind v1alpha2.UnitType, name, admin string, units int32, password string) {
	t.Helper()
	version := e.versions[string(kind)]
	if version == "" {
		t.Skipf("no image of %s on this cluster", kind)
	}
	ctx := t.Context()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-secret"}, StringData: map[string]string{admin: password}}
	if _, err := e.kube.CoreV1().Secrets(opsNamespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	set := &v1alpha2.UnitSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha2.UnitSetSpec{
			Type: kind, Version: version, Units: &units,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("512Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
			},
			Storages: []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: "4Gi"}},
			Secret:   &v1alpha2.SecretInfo{Name: secret.Name, MountPath: "/SECRET_MOUNT"},
			Env:      []corev1.EnvVar{{Name: "ADM_USER", Value: admin}},
		},
	}
	if _, err := e.upm.UpmV1alpha2().UnitSets(opsNamespace).Create(ctx, set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
		defer cancel()
		for _, args := range [][]string{
			{"delete", "unitset", name, "-n", opsNamespace, patiently},
			{"delete", "pvc", "-l", "unit-operator.io/unitset=" + name, "-n", opsNamespace, patiently},
		} {
			if out, err := e.kubectlCommand(ctx, args...).CombinedOutput(); err != nil {
				t.Errorf("kubectl %v: %v\n%s", args, err, out)
			}
		}
	})
}

// call creates a GrpcCall and waits for its result.
func (e *environment) call(t *testing.T, name, unit string, kind v1alpha1.UnitType, action v1alpha1.Action, parameters map[string]any) v1alpha1.GrpcCallStatus {
	t.Helper()
	start := time.Now()
	status := e.finished(t, e.newCall(t, name, unit, kind, action, parameters))
	t.Logf("%s of %s: %s after %.1fs: %s", action, unit, status.Result, time.Since(start).Seconds(), status.Message)
	return status
}

// newCall creates a GrpcCall, with what edit makes of it, and returns its name.
func (e *environment) newCall(t *testing.T, name, unit string, kind v1alpha1.UnitType, action v1alpha1.Action, parameters map[string]any, edit ...func(*v1alpha1.GrpcCallSpec)) string {
	t.Helper()
	call := &v1alpha1.GrpcCall{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"},
		Spec: v1alpha1.GrpcCallSpec{
			TargetUnit: unit, Type: kind, Action: action, TTLSecondsAfterFinished: new(int32(3600)), Parameters: map[string]v1alpha1.JSON{},
		},
	}
	for key, value := range parameters {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		call.Spec.Parameters[key] = v1alpha1.JSON{Raw: raw}
	}
	for _, f := range edit {
		f(&call.Spec)
	}
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

// finished waits for the result of a call.
func (e *environment) finished(t *testing.T, name string) v1alpha1.GrpcCallStatus {
	t.Helper()
	var status v1alpha1.GrpcCallStatus
	eventually(t, 4*time.Minute, "the result of "+name, func(ctx context.Context) (err error) {
		if status, err = e.callStatus(ctx, name); err == nil && status.Result == "" {
			err = fmt.Errorf("phase %s: %s %s", status.Phase, status.Progress, status.Message)
		}
		return err
	})
	return status
}

// succeeds is call, and demands Success.
func (e *environment) succeeds(t *testing.T, name, unit string, kind v1alpha1.UnitType, action v1alpha1.Action, parameters map[string]any) {
	t.Helper()
	if status := e.call(t, name, unit, kind, action, parameters); status.Result != v1alpha1.ResultSuccess {
		t.Fatalf("%s of %s has Failed: %s", action, unit, status.Message)
	}
}

// sql runs a statement as the agent's own account does, by socket.
func (e *environment) sql(t *testing.T, kind v1alpha1.UnitType, unit, database, statement string) string {
	t.Helper()
	command := []string{"mysql", "-N", "-B", "-e", statement}
	if database != "" {
		command = append(command, database)
	}
	if kind == v1alpha1.UnitTypePostgreSQL {
		if database == "" {
			database = "postgres"
		}
		command = []string{"psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement}
	}
	out, err := e.exec(t.Context(), opsNamespace, unit, string(kind), "", command...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return out
}
