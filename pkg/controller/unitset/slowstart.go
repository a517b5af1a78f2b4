// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import "sync"

// slowStart calls fn for 0 to count-1 in batches of 1, 2, 4 and so on, each batch
// at once, and stops after the first batch that had an error. It returns the
// errors.
func slowStart(count int, fn func(int) error) []error {
	for first, size := 0, 1; first < count; first, size = first+size, size*2 {
		size = min(size, count-first)
		results := make([]error, size)
		var wg sync.WaitGroup
		for i := range size {
			wg.Go(func() { results[i] = fn(first + i) })
		}
		wg.Wait()
		var errs []error
		for _, err := range results {
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) > 0 {
			return errs
		}
	}
	return nil
}
