// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/pki"
	"github.com/upmio/unit-operator/test/bed/proc"
)

func (b *Bed) etcd() proc.Daemon { return b.daemon("etcd", "", b.plane.etcdCommand()...) }
func (b *Bed) apiServer() proc.Daemon {
	return b.daemon("kube-apiserver", "", b.plane.apiServerCommand()...)
}
func (b *Bed) controllerManager() proc.Daemon {
	return b.daemon("kube-controller-manager", "", b.plane.controllerManagerCommand()...)
}
func (b *Bed) scheduler() proc.Daemon {
	return b.daemon("kube-scheduler", "", b.plane.schedulerCommand()...)
}

func (b *Bed) coreDNS() proc.Daemon {
	return b.daemon("coredns", "", filepath.Join(b.settings.Binaries["coredns"], "coredns"), "-conf", b.path("Corefile"))
}

func (b *Bed) volumeController() proc.Daemon {
	return b.daemon("csi-controller", "", filepath.Join(b.settings.Binaries["csi"], "loopcsi"),
		"--mode", "controller", "--kubeconfig", b.plane.kubeconfig("csi"), "--dir", b.path("volumes"), "--socket", b.volumeSocket())
}

func (b *Bed) resizer() proc.Daemon {
	return b.daemon("csi-resizer", "", filepath.Join(b.settings.Binaries["csi"], "csi-resizer"),
		"--kubeconfig", b.plane.kubeconfig("csi"), "--csi-address", b.volumeSocket())
}

func (b *Bed) volumeSocket() string { return b.path("csi", "csi.sock") }

// startControlPlane returns when the API server is ready and holds what every bed has in it.
func (b *Bed) startControlPlane(ctx context.Context) error {
	return b.report.Step(ctx, "starting the control plane", func(ctx context.Context) error {
		if err := start(ctx, b.etcd(), b.apiServer()); err != nil {
			return err
		}
		config, err := b.Config()
		if err != nil {
			return err
		}
		alive := func() error { return errors.Join(b.etcd().Ended(), b.apiServer().Ended()) }
		if err := waitAPIServer(ctx, config, 3*time.Minute, alive); err != nil {
			return err
		}
		// Not before: they give up on an API server that has not made their rights yet.
		if err := start(ctx, b.controllerManager(), b.scheduler()); err != nil {
			return err
		}
		if err := b.applyManifests(ctx); err != nil {
			return err
		}
		alive = func() error { return errors.Join(b.controllerManager().Ended(), b.scheduler().Ended()) }
		return waitServiceAccounts(ctx, config, 3*time.Minute, alive)
	})
}

func (b *Bed) applyManifests(ctx context.Context) error {
	manifests := b.path("manifests.yaml")
	data, err := files.ReadFile("files/manifests.yaml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(manifests, data, 0o644); err != nil {
		return err
	}
	_, err = machine.Run(ctx, b.Kubectl(), "--kubeconfig", b.Kubeconfig(), "apply", "--server-side", "--field-manager", "unit-operator-bed", "-f", manifests)
	return err
}

// startAddOns starts DNS and volumes, whose users the manifests have given their rights.
func (b *Bed) startAddOns(ctx context.Context) error {
	for name, user := range map[string]string{
		"coredns": "unit-operator-bed:coredns", "csi": "unit-operator-bed:csi", "kube-proxy": "system:kube-proxy",
	} {
		pair, err := b.plane.authority.Issue(name, pki.Request{User: user})
		if err != nil {
			return err
		}
		if err := b.plane.authority.Kubeconfig(b.plane.kubeconfig(name), b.plane.serverURL(), pair); err != nil {
			return err
		}
	}
	if err := render("Corefile", b.path("Corefile"), map[string]string{
		"Address": hostIP, "Domain": clusterDomain, "Kubeconfig": b.plane.kubeconfig("coredns"),
	}); err != nil {
		return err
	}
	if err := os.MkdirAll(b.path("volumes"), 0o700); err != nil {
		return err
	}
	if err := start(ctx, b.coreDNS(), b.volumeController()); err != nil {
		return err
	}
	// The resizer ends if there is no driver to ask.
	err := proc.Poll(ctx, 20*time.Second, 50*time.Millisecond, func(context.Context) (bool, error) {
		_, err := os.Stat(b.volumeSocket())
		return err == nil, errors.Join(b.volumeController().Ended(), err)
	})
	if err != nil {
		return err
	}
	return start(ctx, b.resizer())
}

// StopAPIServer kills the API server, as an outage would.
func (b *Bed) StopAPIServer(ctx context.Context) error {
	if !b.exists() {
		return ErrNotUp
	}
	return b.apiServer().Kill(ctx)
}

// StartAPIServer starts the API server again and returns when it is ready.
func (b *Bed) StartAPIServer(ctx context.Context) error {
	if !b.exists() {
		return ErrNotUp
	}
	return b.startControlPlane(ctx)
}
