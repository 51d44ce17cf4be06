package mask

import "encoding/binary"

// A stream gives a fake as many keyed words as it needs: the two of the value's
// draw, then tags over these and a counter. All of them depend on the value's
// canonical form only.
type stream struct {
	worker *Worker
	hi, lo uint64 // the draw
	words  [2]uint64
	left   int // of words
	round  uint16
}

// stream begins a value's stream.
func (w *Worker) stream(value []byte) stream {
	hi, lo := w.draw(value)
	return stream{worker: w, hi: hi, lo: lo, words: [2]uint64{hi, lo}, left: 2}
}

// next gives a uniform word that is independent of those before it.
func (s *stream) next() uint64 {
	if s.left == 0 {
		s.round++
		var seed [18]byte
		binary.BigEndian.PutUint64(seed[:], s.hi)
		binary.BigEndian.PutUint64(seed[8:], s.lo)
		binary.BigEndian.PutUint16(seed[16:], s.round)
		s.words[0], s.words[1] = s.worker.mask.mac.sum(&s.worker.scratch, seed[:])
		s.left = 2
	}
	s.left--
	return s.words[1-s.left]
}
