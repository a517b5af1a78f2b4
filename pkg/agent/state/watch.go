// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"k8s.io/klog/v2"
)

// pollInterval is used only where the kernel gives no inotify instance: the
// default limit is 128 per uid and node, and all our pods run as the same uid.
const pollInterval = time.Second

// Watch tells of changes of one file in dir, which need not exist yet: the
// channel gets a value after each change, several at once as one, and one at the
// start. It is closed when ctx ends.
func Watch(ctx context.Context, dir, name string) <-chan struct{} {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(dir); err != nil {
			_ = watcher.Close()
		}
	}
	notify()
	if err != nil {
		klog.FromContext(ctx).Error(err, "No file notification, looking every second instead", "dir", dir)
		go poll(ctx, filepath.Join(dir, name), changed, notify)
		return changed
	}
	go func() {
		defer close(changed)
		defer watcher.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case event, ok := <-watcher.Events:
				if !ok {
					return
				}
				if filepath.Base(event.Name) == name {
					notify()
				}
			case err, ok := <-watcher.Errors:
				if !ok {
					return
				}
				// The queue has overflowed: something has changed.
				klog.FromContext(ctx).Error(err, "File notification", "dir", dir)
				notify()
			}
		}
	}()
	return changed
}

func poll(ctx context.Context, path string, changed chan struct{}, notify func()) {
	defer close(changed)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	last, _ := os.Stat(path)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			info, _ := os.Stat(path)
			same := last == nil && info == nil ||
				last != nil && info != nil && os.SameFile(last, info) && last.ModTime().Equal(info.ModTime())
			if !same {
				last = info
				notify()
			}
		}
	}
}
