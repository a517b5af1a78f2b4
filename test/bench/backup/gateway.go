// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

const (
	bucket         = "bench"
	gatewayAddress = "127.0.0.1:7070"
)

// gateway is an S3 server on a directory.
type gateway struct {
	dir            string
	access, secret string
}

func startGateway(ctx context.Context, program, work string) (*gateway, error) {
	g := &gateway{dir: filepath.Join(work, "s3", bucket), access: "bench", secret: rand.Text()}
	sidecar := filepath.Join(work, "metadata")
	if err := errors.Join(os.MkdirAll(g.dir, 0o755), os.MkdirAll(sidecar, 0o755)); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--port", gatewayAddress, "--quiet", "--health", "/health", "posix", "--sidecar", sidecar, filepath.Dir(g.dir))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+g.access, "ROOT_SECRET_KEY="+g.secret)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return g, until(ctx, "the S3 server answers", func() (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("the S3 server has ended: %w", err)
		default:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+gatewayAddress+"/health", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil
		}
		return true, response.Body.Close()
	})
}

// secrets of an operation that stores here.
func (g *gateway) secrets() agentclient.Secrets {
	return agentclient.Secrets{
		"s3.endpoint": []byte("http://" + gatewayAddress), "s3.accessKey": []byte(g.access), "s3.secretKey": []byte(g.secret),
	}
}

// client of S3 that stores its standard input.
func (g *gateway) client(ctx context.Context, program, key string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, "pipe", "s3://"+bucket+"/"+key)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+g.access, "AWS_SECRET_ACCESS_KEY="+g.secret,
		"AWS_REGION=us-east-1", "S3_ENDPOINT_URL=http://"+gatewayAddress)
	return cmd
}

// stored bytes.
func (g *gateway) stored() (int64, error) {
	var n int64
	err := filepath.WalkDir(g.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// empty the bucket, and let the disk come to rest.
func (g *gateway) empty() error {
	entries, err := os.ReadDir(g.dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(g.dir, entry.Name())))
	}
	unix.Sync()
	return err
}

// until waits for what must come.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
		case <-time.After(interval):
		}
	}
}
