// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/proc"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// LightOptions configure StartLight. The zero value will do.
type LightOptions struct {
	// Dir keeps the state (etcd's data, certificates, logs). If empty, a temporary directory is used
	// and removed by Stop. Starting again on a directory finds its objects again.
	Dir string
	// APIServerArgs and ControllerManagerArgs are added to the command lines, and win over the bed's.
	APIServerArgs, ControllerManagerArgs []string
	// Scheduler starts a scheduler too, with SchedulerArgs: for nodes that the caller makes.
	Scheduler     bool
	SchedulerArgs []string
	// WithoutControllerManager leaves the controller manager out: no garbage collection, no namespace
	// deletion, no default service accounts (so no Pods, but in namespaces where the test makes one).
	WithoutControllerManager bool
	// ExtraSANs are further names or addresses under which clients reach the API server.
	ExtraSANs []string
	// Report shows what takes long: the first build takes minutes. Default: to standard error.
	Report *progress.Reporter
}

// Light is a running control plane: etcd, kube-apiserver, kube-controller-manager, and a scheduler if
// one is asked for. There are no nodes: Pods stay Pending, unless the test writes their status.
type Light struct {
	// Config reaches the API server as an administrator, without client-side rate limits. Copy it
	// before changing it.
	Config *rest.Config
	// Kubeconfig is the path of a kubeconfig file for the same, Kubectl that of a matching kubectl.
	Kubeconfig, Kubectl string
	// Dir is the state directory; logs are in Dir/log.
	Dir string

	plane     controlPlane
	temporary bool

	mu                                 sync.Mutex
	etcd, apiServer, controllerManager *proc.Child
	scheduler                          *proc.Child
}

// StartLight starts a control plane and returns once it is ready, within a few seconds if its binaries
// are in the cache. Its processes end with Stop or with this process, whichever comes first.
func StartLight(ctx context.Context, options LightOptions) (*Light, error) {
	if options.Report == nil {
		options.Report = progress.New(os.Stderr)
	}
	bin, err := build.Component(ctx, options.Report, "kube")
	if err != nil {
		return nil, err
	}
	// A port that was free may be taken when the server binds it: tests of many packages start at once.
	for attempt := 1; ; attempt++ {
		l, err := startLight(ctx, bin, options)
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			return l, err
		}
	}
}

func startLight(ctx context.Context, bin string, options LightOptions) (_ *Light, err error) {
	l := &Light{Dir: options.Dir, Kubectl: filepath.Join(bin, "kubectl")}
	if l.Dir == "" {
		if l.Dir, err = newTemporaryDir(); err != nil {
			return nil, err
		}
		l.temporary = true
	} else if l.Dir, err = filepath.Abs(l.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Stop())
		}
	}()
	if err := os.MkdirAll(filepath.Join(l.Dir, "log"), 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	l.plane = controlPlane{
		bin: bin, dir: l.Dir, bindAddress: "127.0.0.1",
		apiPort: ports[0], etcdPort: ports[1], etcdPeerPort: ports[2],
		apiServerArgs: options.APIServerArgs, controllerManagerArgs: options.ControllerManagerArgs,
		schedulerArgs: options.SchedulerArgs,
	}
	if err := l.plane.issue(options.ExtraSANs); err != nil {
		return nil, err
	}
	l.Kubeconfig = l.plane.adminKubeconfig()
	if l.Config, err = restConfig(l.Kubeconfig); err != nil {
		return nil, err
	}
	return l, options.Report.Step(ctx, "starting the control plane", func(ctx context.Context) error {
		return l.start(ctx, !options.WithoutControllerManager, options.Scheduler)
	})
}

func (l *Light) start(ctx context.Context, controllers, scheduler bool) (err error) {
	if l.etcd, err = l.child("etcd", l.plane.etcdCommand()); err != nil {
		return err
	}
	if err := l.StartAPIServer(ctx); err != nil {
		return err
	}
	if scheduler {
		if l.scheduler, err = l.child("scheduler", l.plane.schedulerCommand()); err != nil {
			return err
		}
	}
	if !controllers {
		return nil
	}
	if l.controllerManager, err = l.child("controller-manager", l.plane.controllerManagerCommand()); err != nil {
		return err
	}
	return waitServiceAccounts(ctx, l.Config, 3*time.Minute, l.controllerManager.Ended)
}

func (l *Light) child(name string, argv []string) (*proc.Child, error) {
	return proc.StartChild(name, l.Dir, filepath.Join(l.Dir, "log", name+".log"), argv...)
}

// StopAPIServer kills the API server, as an outage would. Clients see refused connections until
// StartAPIServer.
func (l *Light) StopAPIServer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apiServer.Stop(0)
	l.apiServer = nil
}

// StartAPIServer starts the API server where it was, unless it runs, and returns once it is ready.
func (l *Light) StartAPIServer(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.apiServer == nil {
		var err error
		if l.apiServer, err = l.child("apiserver", l.plane.apiServerCommand()); err != nil {
			return err
		}
	}
	child := l.apiServer
	return waitAPIServer(ctx, l.Config, 3*time.Minute, func() error { return errors.Join(l.etcd.Ended(), child.Ended()) })
}

// Stop ends everything and removes the state directory, unless the caller named it. It may be called
// twice.
func (l *Light) Stop() error {
	l.StopAPIServer() // at once: a graceful end would wait for watches to be closed
	l.controllerManager.Stop(0)
	l.scheduler.Stop(0)
	l.etcd.Stop(0)
	if !l.temporary {
		return nil
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return fmt.Errorf("removing the state of the control plane: %w", err)
	}
	return nil
}
