// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/lru"

	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// TemplatesName is the name of the ConfigMap that shows the users of a set the
// configuration templates of its units' revision. Units are rendered from the revision
// itself.
func TemplatesName(set string) string { return set + "-config-template" }

// LostError says that a revision is gone or cannot be read, and that trying again does
// not bring it back.
type LostError struct {
	Name string
	Err  error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("ControllerRevision %s, which units are made from, is lost: %v", e.Name, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// kept is how many revisions a Reader keeps: those of the sets that are being made, or
// looked at after a start.
const kept = 64

// Reader reads what revisions store. The API server lets nobody change that, so what
// was read is kept for as long as informers show the object. It is safe for concurrent
// use.
type Reader struct {
	kube kubernetes.Interface
	seen *slim.Informer[*slim.Object]
	came *slim.Recent[*appsv1.ControllerRevision]
	data *lru.Cache
}

// NewReader over the informer of revisions and those that have just come by.
func NewReader(kube kubernetes.Interface, children *slim.Informers) *Reader {
	return &Reader{kube: kube, seen: children.Revisions, came: children.NewRevisions, data: lru.New(kept)}
}

// Get what a revision stores, which the caller must not change. check says what is wrong
// with the object itself; nil for nothing. Its error, like that of a revision that is not
// there, is in a LostError.
func (r *Reader) Get(ctx context.Context, key cache.ObjectName, check func(metav1.Object) error) (*Data, error) {
	if key.Name == "" {
		return nil, &LostError{"(none)", errors.New("the annotation that names it is missing")}
	}
	if obj, ok := r.seen.Get(key); ok {
		if data, ok := r.data.Get(obj.UID); ok && check(obj) == nil {
			return data.(*Data), nil
		}
	}
	live, err := r.read(ctx, key)
	if err != nil {
		if apierrors.IsNotFound(err) {
			return nil, &LostError{key.Name, err}
		}
		return nil, fmt.Errorf("reading ControllerRevision %s: %w", key.Name, err)
	}
	if err := check(live); err != nil {
		return nil, &LostError{key.Name, err}
	}
	data, err := Decode(live)
	if err != nil {
		return nil, &LostError{key.Name, err}
	}
	r.data.Add(live.UID, data)
	return data, nil
}

// read one that has just come by, or ask the API.
func (r *Reader) read(ctx context.Context, key cache.ObjectName) (*appsv1.ControllerRevision, error) {
	if obj, ok := r.seen.Get(key); ok {
		if whole, ok := r.came.Get(key, obj.ResourceVersion); ok {
			return whole, nil
		}
	}
	return r.kube.AppsV1().ControllerRevisions(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
}
