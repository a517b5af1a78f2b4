// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
)

// Placeholder in the image of a package's container stands for the version the
// user asked for: image: mysql:$(VERSION).
const Placeholder = "$(VERSION)"

// imageTag is what a tag may be, by the specification of OCI's references.
var imageTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// checkImage refuses an image that would run another version than the one asked
// for: a package that serves versions beyond its name must fill them in.
func checkImage(image, name string, request Request) error {
	if image == "" {
		return fmt.Errorf("container %s has no image", request.Type)
	}
	if !strings.Contains(image, Placeholder) {
		if strings.HasSuffix(name, "-"+request.Version) {
			return nil
		}
		return fmt.Errorf("image %s of container %s lacks %s, so the package serves only the version in its name, not %s",
			image, request.Type, Placeholder, request.Version)
	}
	if !imageTag.MatchString(request.Version) {
		return fmt.Errorf("version %q cannot be the tag of an image", request.Version)
	}
	return nil
}

// fillVersion replaces the placeholder in every image.
func fillVersion(spec *corev1.PodSpec, version string) {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			containers[i].Image = strings.ReplaceAll(containers[i].Image, Placeholder, version)
		}
	}
}

// RequestForImage is the request of a standalone Unit, whose version is the tag
// of its database container's image: mysql:8.0.41. A tag that is no version, or
// only a digest, is an error.
func RequestForImage(unitType v1alpha2.UnitType, image string) (Request, error) {
	reference, _, _ := strings.Cut(image, "@")
	_, tag, ok := strings.Cut(reference[strings.LastIndex(reference, "/")+1:], ":")
	if !ok {
		return Request{}, errors.New("image " + image + " has no tag to tell the version by")
	}
	if _, err := configtemplate.ParseVersion(tag); err != nil {
		return Request{}, fmt.Errorf("the tag of image %s: %w", image, err)
	}
	return Request{Type: unitType, Version: tag}, nil
}
