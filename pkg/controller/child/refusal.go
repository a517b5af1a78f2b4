// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

const (
	// ConflictRecheck is how soon a name that belongs to somebody else is looked at
	// again: objects without our label raise no event here.
	ConflictRecheck = time.Minute
	// RefusalRecheck is the same for what the API server refused: quotas and policies
	// raise no event either.
	RefusalRecheck = 30 * time.Second
)

// IsQuota recognises a refusal by a quota of the namespace.
func IsQuota(err error) bool {
	return apierrors.IsForbidden(err) && slices.ContainsFunc([]string{"exceeded quota: ", "failed quota: ", "status unknown for quota: ", "insufficient quota"},
		func(text string) bool { return strings.Contains(err.Error(), text) })
}

// IsRefusal recognises an answer of the API server, of a policy or of a webhook that it will
// not have the object. Of several errors all must be such.
func IsRefusal(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !IsRefusal(err) })
	}
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), IsGone(err):
		return false
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return true
	default:
		// A webhook that is down or too slow is an internal error or a timeout of the
		// API server, and nothing but its text says so.
		return (apierrors.IsInternalError(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err)) && strings.Contains(err.Error(), "webhook")
	}
}

// Explain adds the condition for an error that only somebody else can end, and says
// after which time to look again; 0 if the error is another one.
func Explain(found findings.Set, err error) time.Duration {
	conflict, isConflict := AsNameConflict(err)
	switch {
	case isConflict:
		found.Because(v1alpha2.ConditionNameConflict, "%v", conflict)
		return ConflictRecheck
	case !IsRefusal(err):
		return 0
	case IsQuota(err):
		found.Because(v1alpha2.ConditionQuotaExceeded, "%v", err)
	default:
		found.Because(v1alpha2.ConditionRefused, "the API server, a policy or a webhook refuses what is needed: %v", err)
	}
	return RefusalRecheck
}

// IsGone says whether the object that was meant does not exist any more. A patch of
// another one that has its name would change that one's UID, and is Invalid.
func IsGone(err error) bool {
	if apierrors.IsNotFound(err) {
		return true
	}
	var status apierrors.APIStatus // not an error itself
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}

// IsOfOne says whether an error is about one object, so that writes of others may fare
// better: the API server has answered, and neither was the cache late, nor is the
// server itself in trouble.
func IsOfOne(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !IsOfOne(err) })
	}
	if _, conflict := AsNameConflict(err); conflict || IsRefusal(err) {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return false
	}
	switch status.Status().Code {
	case http.StatusConflict, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// Failures are the errors of children that fail each for itself, so that the others are
// synced all the same. The sync fails in the end and is tried again.
type Failures struct {
	errs []error
}

// Tolerate collects an error and says whether to go on.
func (f *Failures) Tolerate(err error) bool {
	if err == nil {
		return true
	}
	f.errs = append(f.errs, err)
	return IsOfOne(err)
}

// Err is what was collected, nil for nothing.
func (f *Failures) Err() error { return errors.Join(f.errs...) }

// Each does something for each of some children; one that fails for itself keeps no other
// from it.
func Each[T any](children []T, do func(T) error) error {
	var failures Failures
	for _, c := range children {
		if !failures.Tolerate(do(c)) {
			break
		}
	}
	return failures.Err()
}
