// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/test/fleet"
)

// patience with what is made.
const patience = 40 * time.Minute

// podsReady returns when n pods of a namespace are, and how long after begun.
func (p *plane) podsReady(ctx context.Context, namespace string, n int, begun time.Time) (time.Duration, error) {
	return untilReady(ctx, n, begun, metav1.ListOptions{}, p.kube.CoreV1().Pods(namespace).Watch, func(obj runtime.Object) bool {
		pod, ok := obj.(*corev1.Pod)
		return ok && fleet.Ready(pod)
	})
}

// unitsReady returns when n Units of a namespace say that they are.
func (p *plane) unitsReady(ctx context.Context, namespace string, n int, begun time.Time) (time.Duration, error) {
	return untilReady(ctx, n, begun, metav1.ListOptions{}, p.upm.UpmV1alpha2().Units(namespace).Watch, unitReady)
}

// setReady returns when the Units of a set say that they are.
func (p *plane) setReady(ctx context.Context, namespace, set string, begun time.Time) (time.Duration, error) {
	options := metav1.ListOptions{LabelSelector: v1alpha2.LabelUnitSet + "=" + set}
	return untilReady(ctx, unitsPerSet, begun, options, p.upm.UpmV1alpha2().Units(namespace).Watch, unitReady)
}

func unitReady(obj runtime.Object) bool {
	unit, ok := obj.(*v1alpha2.Unit)
	return ok && unit.Status.Phase == v1alpha2.UnitReady && meta.IsStatusConditionTrue(unit.Status.Conditions, "Ready")
}

// configurationsKept returns when the ConfigMaps of n units are there that keep the
// configuration with which each is Ready: of those that carry our labels they alone are
// of no set.
func (p *plane) configurationsKept(ctx context.Context, namespace string, n int) error {
	options := metav1.ListOptions{LabelSelector: v1alpha2.LabelManaged + "=true," + v1alpha2.LabelUnit + ",!" + v1alpha2.LabelUnitSet}
	_, err := untilReady(ctx, n, time.Now(), options, p.kube.CoreV1().ConfigMaps(namespace).Watch, func(runtime.Object) bool { return true })
	return err
}

// untilReady watches until n objects are.
func untilReady(ctx context.Context, n int, begun time.Time, options metav1.ListOptions, start func(context.Context, metav1.ListOptions) (watch.Interface, error), ready func(runtime.Object) bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := map[string]bool{}
	for {
		// From what there is: a watch that ends is begun anew.
		w, err := start(ctx, options)
		if err != nil {
			return 0, err
		}
		for event := range w.ResultChan() {
			o, err := meta.Accessor(event.Object)
			if err != nil {
				continue
			}
			if event.Type != watch.Deleted && ready(event.Object) {
				done[o.GetName()] = true
			} else {
				delete(done, o.GetName())
			}
			if len(done) >= n {
				w.Stop()
				return time.Since(begun), nil
			}
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%d of %d are Ready: %w", len(done), n, ctx.Err())
		}
	}
}
