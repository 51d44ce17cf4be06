package mysql

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// inOrder calls do for the indexes of weights, the heaviest first, so many side by
// side: a heavy one that begins last would have everything wait for it.
func inOrder(ctx context.Context, side int, weights []int64, do func(ctx context.Context, i int) error) error {
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(order) == 0 || ctx.Err() != nil {
			return 0, false
		}
		i := order[0]
		order = order[1:]
		return i, true
	}
	var workers sync.WaitGroup
	for range min(max(side, 1), len(weights)) {
		workers.Go(func() {
			for i, ok := next(); ok; i, ok = next() {
				if err := do(ctx, i); err != nil {
					cancel(err) // the first one stays
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}
