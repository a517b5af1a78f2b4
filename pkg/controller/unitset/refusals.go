// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refusals are the errors of children that the API server refused. They belong to
// one child each, so the others are synced all the same; the sync fails in the end
// and is tried again.
type refusals struct {
	errs []error
}

// tolerate collects an error and says whether to go on: not if the API server did
// not answer, or the cache was late, for then the next write fares no better.
func (r *refusals) tolerate(err error) bool {
	if err == nil {
		return true
	}
	r.errs = append(r.errs, err)
	return isRefusal(err)
}

func (r *refusals) err() error { return errors.Join(r.errs...) }

// isRefusal tells an answer of the API server, of a policy or of a webhook that it
// will not have the object. Of several errors all must be such.
func isRefusal(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if !isRefusal(err) {
				return false
			}
		}
		return true
	}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return true
	default:
		// One that is down or too slow is an internal error or a timeout of the API
		// server, and nothing but its text tells.
		return (apierrors.IsInternalError(err) || apierrors.IsTimeout(err)) && strings.Contains(err.Error(), "webhook")
	}
}

// isAnotherObject tells the answer to a patch whose UID is not that of the object
// of this name: it was made anew since it was observed.
func isAnotherObject(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsInvalid(err) || status.ErrStatus.Details == nil {
		return false
	}
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Field == "metadata.uid" {
			return true
		}
	}
	return false
}
