// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Publish implements worker.Endpoints: clients wait for it, so it reads the pods live
// and does not wait for a cache that shows what it has written.
func (j *journal) Publish(ctx context.Context, source string, epoch int64) error {
	for i := range j.loaded {
		if m := &j.loaded[i]; m.Name != source && m.Owned {
			if err := j.label(ctx, m.Name, "", epoch); err != nil {
				return err
			}
		}
	}
	return j.label(ctx, source, v1alpha2.RoleSource, epoch)
}

// Withdraw implements worker.Endpoints: clients that connect again while the source is
// being fenced find nobody, rather than a server that refuses their writes for as long as
// they keep the connection.
func (j *journal) Withdraw(ctx context.Context, source string, epoch int64) error {
	return j.label(ctx, source, "", epoch)
}

// label a member's pod with a role; without one only the source's label is taken off.
func (j *journal) label(ctx context.Context, member, role string, epoch int64) error {
	for {
		live, err := j.c.control.kube.CoreV1().Pods(j.namespace).Get(ctx, member, metav1.GetOptions{})
		if apierrors.IsNotFound(err) && role == "" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading Pod %s: %w", member, err)
		}
		pod := slim.FromPod(live)
		switch {
		case role == "" && !labelledSource(live):
			return nil
		case stampedAbove(pod, epoch):
			return fmt.Errorf("the labels of Pod %s come from epoch %s, which is later than %d", member, live.Annotations[v1alpha2.AnnotationRoleEpoch], epoch)
		}
		err = j.c.control.relabel(ctx, j.object, relabel{pod: pod, role: role, epoch: epoch})
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}

func labelledSource(pod *corev1.Pod) bool {
	return pod.Labels[v1alpha2.LabelRole] == v1alpha2.RoleSource
}
