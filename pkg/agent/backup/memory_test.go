// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/operation"
)

// The agent has 128 MiB for the server side of things too.
const (
	streamed  = 512 << 20
	memoryMax = 128 << 20
)

// noise is data that does not compress, without end.
type noise struct{ *rand.ChaCha8 }

const (
	memoryEnv  = "BACKUP_TEST_MEMORY_ENDPOINT"
	threadsEnv = "BACKUP_TEST_MEMORY_THREADS"
)

// TestMemoryIsBoundedByThePartsAndNotTheData measures a process of its own: the peak of
// this one is that of all tests.
func TestMemoryIsBoundedByThePartsAndNotTheData(t *testing.T) {
	if endpoint := os.Getenv(memoryEnv); endpoint != "" {
		streamAll(t, endpoint)
		return
	}
	if testing.Short() {
		t.Skip("512 MiB are too many for a short test")
	}
	endpoint := "http://" + server(t).address
	for _, threads := range []int{DefaultParallel, 64} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) { measureMemory(t, endpoint, threads) })
	}
}

func measureMemory(t *testing.T, endpoint string, threads int) {
	command := exec.Command(os.Args[0], "-test.run=^TestMemoryIsBoundedByThePartsAndNotTheData$", "-test.v")
	command.Env = append(os.Environ(), memoryEnv+"="+endpoint, threadsEnv+"="+strconv.Itoa(threads))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, rest, found := strings.Cut(string(out), "peak of resident memory: ")
	number, _, _ := strings.Cut(rest, " ")
	peak, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil {
		t.Fatalf("the process did not say its peak: %s", out)
	}
	t.Logf("peak of resident memory: %d MiB", peak>>20)
	if peak > memoryMax {
		t.Errorf("%d MiB of data took %d MiB of memory, want at most %d", streamed>>20, peak>>20, memoryMax>>20)
	}
}

// streamAll writes and reads in the way of the agent, as many files at a time as there
// may be.
func streamAll(t *testing.T, endpoint string) {
	threads := must(strconv.Atoi(os.Getenv(threadsEnv)))(t)
	debug.SetMemoryLimit(100 << 20) // as unit-agent serve
	debug.SetGCPercent(40)
	store := must(newS3(testBucket, testCredentials(endpoint), patient, partSize))(t)
	l := Location{Bucket: testBucket, Folder: "memory/"}
	w := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Parallel: threads, Key: testKey, Meta: testMeta(Physical)}))(t)
	defer w.Abort()
	errs := make(chan error)
	for i := range MaxOpenFiles {
		f := must(w.File(strconv.Itoa(i)))(t)
		go func() {
			_, err := io.CopyN(struct{ io.Writer }{f}, noise{rand.NewChaCha8([32]byte{byte(i)})}, streamed/MaxOpenFiles)
			if err != nil {
				f.Fail(err)
			} else {
				err = f.Close()
			}
			errs <- err
		}()
	}
	for range MaxOpenFiles {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	m := must(w.Commit(t.Context()))(t)
	if m.Size() != streamed {
		t.Errorf("%d bytes, want %d", m.Size(), streamed)
	}
	must(Verify(t.Context(), store, m, testKey, nil))(t)
	// VmHWM is of this program; ru_maxrss would begin with that of the parent.
	status := string(must(os.ReadFile("/proc/self/status"))(t))
	_, rest, _ := strings.Cut(status, "VmHWM:")
	kib := must(strconv.ParseInt(strings.Fields(rest)[0], 10, 64))(t)
	t.Logf("peak of resident memory: %d bytes", kib<<10)
	removed := must(store.List(t.Context(), l.Folder, true))(t)
	for _, o := range removed {
		store.Delete(t.Context(), o.Key)
	}
}
