// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"k8s.io/klog/v2"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// Serve serves what register adds on a unix socket, until ctx ends. A socket left by an earlier
// process is replaced.
func Serve(ctx context.Context, socket string, register func(*grpc.Server)) error {
	if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logErrors))
	register(server)
	stop := context.AfterFunc(ctx, server.GracefulStop)
	defer stop()
	klog.FromContext(ctx).Info("Serving", "socket", socket)
	return server.Serve(listener)
}

func logErrors(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	response, err := handle(ctx, request)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Call failed", "method", info.FullMethod, "request", request)
	}
	return response, err
}

// Registration tells the kubelet where the driver's socket is.
type Registration struct {
	registration.UnimplementedRegistrationServer
	// Endpoint is the path of that socket.
	Endpoint string
}

func (r Registration) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: DriverName, Endpoint: r.Endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus fails the call, and so leaves a line in the log, if the kubelet refused.
func (r Registration) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !s.PluginRegistered {
		return nil, fmt.Errorf("the kubelet refused the driver: %s", s.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}
