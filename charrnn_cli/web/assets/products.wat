;; The products of the page: a matrix of 8-bit integers times a vector of 16-bit integers, as exact 32-bit sums.
;;
;; The matrix has `height` rows, a multiple of 4, of `width` integers, a multiple of 16. Each step of the inner loop
;; takes 16 numbers of the vector and of four rows: i32x4.dot_i16x8_s multiplies 8 pairs and adds neighbours.
(module
  (import "page" "memory" (memory 1))
  (func (export "products")
    (param $matrix i32) (param $vector i32) (param $sums i32) (param $height i32) (param $width i32)
    (local $row0 i32) (local $row1 i32) (local $row2 i32) (local $row3 i32) (local $end i32) (local $k i32)
    (local $sum0 v128) (local $sum1 v128) (local $sum2 v128) (local $sum3 v128)
    (local $low v128) (local $high v128)  ;; 16 numbers of the vector
    (local.set $row0 (local.get $matrix))
    (local.set $end (i32.add (local.get $matrix) (i32.mul (local.get $height) (local.get $width))))
    (loop $rows
      (local.set $row1 (i32.add (local.get $row0) (local.get $width)))
      (local.set $row2 (i32.add (local.get $row1) (local.get $width)))
      (local.set $row3 (i32.add (local.get $row2) (local.get $width)))
      (local.set $sum0 (v128.const i32x4 0 0 0 0))
      (local.set $sum1 (v128.const i32x4 0 0 0 0))
      (local.set $sum2 (v128.const i32x4 0 0 0 0))
      (local.set $sum3 (v128.const i32x4 0 0 0 0))
      (local.set $k (i32.const 0))
      (loop $columns
        (local.set $low (v128.load (i32.add (local.get $vector) (i32.shl (local.get $k) (i32.const 1)))))
        (local.set $high (v128.load offset=16 (i32.add (local.get $vector) (i32.shl (local.get $k) (i32.const 1)))))
        (local.set $sum0 (i32x4.add (local.get $sum0) (i32x4.add
          (i32x4.dot_i16x8_s (v128.load8x8_s (i32.add (local.get $row0) (local.get $k))) (local.get $low))
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (i32.add (local.get $row0) (local.get $k))) (local.get $high)))))
        (local.set $sum1 (i32x4.add (local.get $sum1) (i32x4.add
          (i32x4.dot_i16x8_s (v128.load8x8_s (i32.add (local.get $row1) (local.get $k))) (local.get $low))
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (i32.add (local.get $row1) (local.get $k))) (local.get $high)))))
        (local.set $sum2 (i32x4.add (local.get $sum2) (i32x4.add
          (i32x4.dot_i16x8_s (v128.load8x8_s (i32.add (local.get $row2) (local.get $k))) (local.get $low))
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (i32.add (local.get $row2) (local.get $k))) (local.get $high)))))
        (local.set $sum3 (i32x4.add (local.get $sum3) (i32x4.add
          (i32x4.dot_i16x8_s (v128.load8x8_s (i32.add (local.get $row3) (local.get $k))) (local.get $low))
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (i32.add (local.get $row3) (local.get $k))) (local.get $high)))))
        (local.set $k (i32.add (local.get $k) (i32.const 16)))
        (br_if $columns (i32.lt_u (local.get $k) (local.get $width))))
      ;; The four numbers of each sum are added: first in pairs of rows, then for all four rows at once.
      (local.set $sum0 (i32x4.add
        (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $sum0) (local.get $sum1))
        (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $sum0) (local.get $sum1))))
      (local.set $sum2 (i32x4.add
        (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $sum2) (local.get $sum3))
        (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $sum2) (local.get $sum3))))
      (v128.store (local.get $sums) (i32x4.add
        (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $sum0) (local.get $sum2))
        (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $sum0) (local.get $sum2))))
      (local.set $sums (i32.add (local.get $sums) (i32.const 16)))
      (local.set $row0 (i32.add (local.get $row3) (local.get $width)))
      (br_if $rows (i32.lt_u (local.get $row0) (local.get $end))))))
