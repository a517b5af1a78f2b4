// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"fmt"
	"path"
	"runtime/debug"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

// withLogger gives every call a logger and says how it went: what was called, by
// whom, with what result. Never what was in it.
func withLogger(logger klog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		logger := logger.WithValues("method", path.Base(info.FullMethod), "peer", peerOf(ctx))
		start := time.Now()
		response, err := handler(klog.NewContext(ctx, logger), request)
		logCall(logger, err, time.Since(start))
		return response, err
	}
}

// streamWithLogger says of a stream how it ended.
func streamWithLogger(logger klog.Logger) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		logger := logger.WithValues("method", path.Base(info.FullMethod), "peer", peerOf(stream.Context()))
		start := time.Now()
		err := handler(server, stream)
		logCall(logger, err, time.Since(start))
		return err
	}
}

// operatorNoteInterval is how often it is noted that the operator calls.
const operatorNoteInterval = 5 * time.Second

// noteOperator notes when the operator has called, for the preStop hook: a source waits
// for its Replication only if there is somebody to move the role.
func noteOperator(store *state.Store) grpc.UnaryServerInterceptor {
	var last atomic.Int64
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		now := time.Now()
		if before := last.Load(); now.UnixNano()-before > int64(operatorNoteInterval) && last.CompareAndSwap(before, now.UnixNano()) {
			if err := store.OperatorCalled(now); err != nil {
				klog.FromContext(ctx).Error(err, "The operator's call cannot be noted")
			}
		}
		return handler(ctx, request)
	}
}

func peerOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return "unknown"
}

func logCall(logger klog.Logger, err error, took time.Duration) {
	switch code := status.Code(err); code {
	case codes.OK, codes.NotFound:
		// NotFound is an answer: the operation was never started.
		logger.V(4).Info("Call", "code", code, "duration", took)
	default:
		logger.Info("Call refused or failed", "code", code, "reason", status.Convert(err).Message(), "duration", took)
	}
}

// recoverStreamPanic makes a panic in one stream that stream's failure.
func recoverStreamPanic(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			klog.FromContext(stream.Context()).Error(fmt.Errorf("panic: %v", p), "A stream has panicked", "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "the agent has panicked; its log says where")
		}
	}()
	return handler(server, stream)
}

// recoverPanic makes a panic in one call that call's failure.
func recoverPanic(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	defer func() {
		if p := recover(); p != nil {
			klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", p), "A call has panicked", "stack", string(debug.Stack()))
			response, err = nil, status.Error(codes.Internal, "the agent has panicked; its log says where")
		}
	}()
	return handler(ctx, request)
}
