;; The arithmetic that takes most of the time of the page. arithmetic.js has the same in JavaScript.
(module
  (import "page" "memory" (memory 1))

  ;; The product of a matrix of 8-bit integers and a vector of 16-bit integers, as exact 32-bit sums.
  ;;
  ;; The matrix has `height` rows, a multiple of 16, of `width` integers, a multiple of 2. It is in memory as it is read:
  ;; 16 rows after 16 rows, and in these, for each two columns, the two integers of the first row, of the second row, and
  ;; so on. i32x4.dot_i16x8_s multiplies those of four rows by two numbers of the vector, and adds each two products.
  (func (export "product")
    (param $matrix i32) (param $vector i32) (param $sums i32) (param $height i32) (param $width i32)
    (local $matrix_end i32) (local $vector_end i32) (local $place i32)
    (local $pair v128)  ;; two numbers of the vector, four times
    (local $rows0 v128) (local $rows4 v128) (local $rows8 v128) (local $rows12 v128)  ;; the sums of four rows each
    (local.set $matrix_end (i32.add (local.get $matrix) (i32.mul (local.get $height) (local.get $width))))
    (local.set $vector_end (i32.add (local.get $vector) (i32.shl (local.get $width) (i32.const 1))))
    (loop $rows
      (local.set $rows0 (v128.const i32x4 0 0 0 0))
      (local.set $rows4 (v128.const i32x4 0 0 0 0))
      (local.set $rows8 (v128.const i32x4 0 0 0 0))
      (local.set $rows12 (v128.const i32x4 0 0 0 0))
      (local.set $place (local.get $vector))
      (loop $columns
        (local.set $pair (v128.load32_splat (local.get $place)))
        (local.set $rows0 (i32x4.add (local.get $rows0)
          (i32x4.dot_i16x8_s (v128.load8x8_s (local.get $matrix)) (local.get $pair))))
        (local.set $rows4 (i32x4.add (local.get $rows4)
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (local.get $matrix)) (local.get $pair))))
        (local.set $rows8 (i32x4.add (local.get $rows8)
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=16 (local.get $matrix)) (local.get $pair))))
        (local.set $rows12 (i32x4.add (local.get $rows12)
          (i32x4.dot_i16x8_s (v128.load8x8_s offset=24 (local.get $matrix)) (local.get $pair))))
        (local.set $matrix (i32.add (local.get $matrix) (i32.const 32)))
        (local.set $place (i32.add (local.get $place) (i32.const 4)))
        (br_if $columns (i32.lt_u (local.get $place) (local.get $vector_end))))
      (v128.store (local.get $sums) (local.get $rows0))
      (v128.store offset=16 (local.get $sums) (local.get $rows4))
      (v128.store offset=32 (local.get $sums) (local.get $rows8))
      (v128.store offset=48 (local.get $sums) (local.get $rows12))
      (local.set $sums (i32.add (local.get $sums) (i32.const 64)))
      (br_if $rows (i32.lt_u (local.get $matrix) (local.get $matrix_end)))))

  ;; bias + sum * (scale * scale of the row), for `count` sums, an even number. The biases follow the scales of the rows.
  (func (export "scale")
    (param $sums i32) (param $scales i32) (param $scale f64) (param $out i32) (param $count i32)
    (local $biases i32) (local $end i32)
    (local.set $biases (i32.add (local.get $scales) (i32.shl (local.get $count) (i32.const 3))))
    (local.set $end (local.get $biases))
    (loop $next
      (v128.store (local.get $out) (f64x2.add (v128.load (local.get $biases)) (f64x2.mul
        (f64x2.convert_low_i32x4_s (v128.load64_zero (local.get $sums)))
        (f64x2.mul (f64x2.splat (local.get $scale)) (v128.load (local.get $scales))))))
      (local.set $sums (i32.add (local.get $sums) (i32.const 8)))
      (local.set $scales (i32.add (local.get $scales) (i32.const 16)))
      (local.set $biases (i32.add (local.get $biases) (i32.const 16)))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $scales) (local.get $end)))))

  ;; Replaces each second number by the tanh of the sum of both, as numbers.js computes it, for two numbers at once. So
  ;; `count` becomes an even number.
  (func (export "tanh") (param $first i32) (param $second i32) (param $count i32)
    (local $end i32) (local $x v128) (local $y v128)
    (local.set $end (i32.add (local.get $first) (i32.shl (local.get $count) (i32.const 3))))
    (loop $next
      (local.set $x (f64x2.add (v128.load (local.get $first)) (v128.load (local.get $second))))
      (local.set $x (f64x2.pmin (local.get $x) (f64x2.splat (f64.const 7.9))))
      (local.set $x (f64x2.pmax (local.get $x) (f64x2.splat (f64.const -7.9))))
      (local.set $y (f64x2.mul (local.get $x) (local.get $x)))
      (v128.store (local.get $second) (f64x2.div
        (f64x2.mul (local.get $x)
          (f64x2.add (f64x2.splat (f64.const 4.89352455891786e-3)) (f64x2.mul (local.get $y)
          (f64x2.add (f64x2.splat (f64.const 6.37261928875436e-4)) (f64x2.mul (local.get $y)
          (f64x2.add (f64x2.splat (f64.const 1.48572235717979e-5)) (f64x2.mul (local.get $y)
          (f64x2.add (f64x2.splat (f64.const 5.12229709037114e-8)) (f64x2.mul (local.get $y)
          (f64x2.add (f64x2.splat (f64.const -8.60467152213735e-11)) (f64x2.mul (local.get $y)
          (f64x2.add (f64x2.splat (f64.const 2.00018790482477e-13)) (f64x2.mul (local.get $y)
            (f64x2.splat (f64.const -2.76076847742355e-16)))))))))))))))
        (f64x2.add (f64x2.splat (f64.const 4.89352518554385e-3)) (f64x2.mul (local.get $y)
        (f64x2.add (f64x2.splat (f64.const 2.2684346324390e-3)) (f64x2.mul (local.get $y)
        (f64x2.add (f64x2.splat (f64.const 1.18534705686654e-4)) (f64x2.mul (local.get $y)
          (f64x2.splat (f64.const 1.19825839466702e-6))))))))))
      (local.set $first (i32.add (local.get $first) (i32.const 16)))
      (local.set $second (i32.add (local.get $second) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $first) (local.get $end))))))
