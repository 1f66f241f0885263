// Stages of a command, with their time and memory.

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Stages runs the steps of a command one after the other, says what it is
// doing, and reports time and memory of each at the end.
type Stages struct {
	begin time.Time
	done  []stageResult
}

type stageResult struct {
	name string
	took time.Duration
	peak uint64 // bytes
}

func newStages() *Stages { return &Stages{begin: time.Now()} }

// run executes one stage. The memory is the largest working set of the
// cluster's cgroup that was seen meanwhile.
func (s *Stages) run(name, doing string, work func() error) error {
	say("%s: %s", name, doing)
	var peak atomic.Uint64
	stop := make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Add(1)
	go func() {
		defer sampling.Done()
		for {
			if now := cgroupWorkingSet(); now > peak.Load() {
				peak.Store(now)
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	begin := time.Now()
	err := work()
	close(stop)
	sampling.Wait()
	s.done = append(s.done, stageResult{name, time.Since(begin), peak.Load()})
	if err != nil {
		return fmt.Errorf("stage %s failed after %.1f s: %w", name, time.Since(begin).Seconds(), err)
	}
	return nil
}

func (s *Stages) report() {
	say("%-16s %8s  %s", "stage", "seconds", "peak memory of the cluster")
	for _, r := range s.done {
		say("%-16s %8.1f  %s", r.name, r.took.Seconds(), mebibytes(r.peak))
	}
	say("%-16s %8.1f", "all", time.Since(s.begin).Seconds())
}

func mebibytes(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
