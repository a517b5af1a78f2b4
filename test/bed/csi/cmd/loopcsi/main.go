// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command loopcsi is the bed's CSI driver, in one of two modes: `node`, one process for each kubelet,
// and `controller`, one for the cluster, which makes volumes and answers the resizer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/upmio/unit-operator/test/bed/csi/loop"
)

var (
	mode       = flag.String("mode", "", "node or controller")
	dir        = flag.String("dir", "", "directory of the volumes' files, shared by all nodes")
	node       = flag.String("node", "", "node: the node's name")
	root       = flag.String("kubelet-root", "", "node: the kubelet's root directory")
	socket     = flag.String("socket", "", "controller: the socket that the resizer calls")
	kubeconfig = flag.String("kubeconfig", "", "controller: how to reach the API server")
)

func main() {
	klog.InitFlags(nil)
	flag.Parse()
	ctx, stop := signal.NotifyContext(klog.NewContext(context.Background(), klog.Background()), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "loopcsi: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *dir == "" {
		return errors.New("--dir is required")
	}
	switch *mode {
	case "node":
		if *node == "" || *root == "" {
			return errors.New("--node and --kubelet-root are required")
		}
		return runNode(ctx)
	case "controller":
		if *socket == "" {
			return errors.New("--socket is required")
		}
		return runController(ctx)
	default:
		return errors.New("--mode must be node or controller")
	}
}

// runNode serves the driver, then its registration: the kubelet calls the driver as soon as it sees it.
func runNode(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	endpoint := filepath.Join(*root, "plugins", loop.DriverName, "csi.sock")
	result := make(chan error, 2)
	go func() {
		result <- loop.Serve(ctx, endpoint, func(s *grpc.Server) {
			csi.RegisterIdentityServer(s, loop.Identity{})
			csi.RegisterNodeServer(s, loop.NewNode(*node, *root, *dir))
		})
	}()
	go func() {
		path := filepath.Join(*root, "plugins_registry", loop.DriverName+"-reg.sock")
		result <- loop.Serve(ctx, path, func(s *grpc.Server) {
			registration.RegisterRegistrationServer(s, loop.Registration{Endpoint: endpoint})
		})
	}()
	return <-result
}

func runController(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	provisioner := controller.NewProvisionController(ctx, client, loop.DriverName,
		loop.NewProvisioner(*dir), controller.LeaderElection(false))
	go provisioner.Run(ctx)
	return loop.Serve(ctx, *socket, func(s *grpc.Server) {
		csi.RegisterIdentityServer(s, loop.Identity{})
		csi.RegisterControllerServer(s, loop.Controller{})
	})
}
