-- The benchmark sets, and the best that others published for them: papers and result files of Monash, M4, GIFT-Eval and fev-bench.
INSERT INTO bench.task (task, key, time_column, target, horizon, season, scales, origins) VALUES
  ('hospital', 'id', 'month', 'y', 12, 12, '{12}', 1),
  ('carparts', 'id', 'month', 'y', 12, 12, '{12}', 1),
  ('m4_weekly', 'id', 'week', 'y', 13, 1, '{52,1}', 1),
  ('m4_hourly', 'id', 'hour', 'y', 48, 24, '{24}', 1),
  ('rossmann_weekly', 'store', 'week', 'sales', 13, 1, '{1}', 8),
  ('rossmann_daily', 'store', 'day', 'sales', 48, 7, '{7}', 10);
UPDATE bench.task SET planned = '{open,promo,school_holiday,public_holiday}',
  statics = '{store_type,assortment,competition_distance,competition_month,competition_year,promo2,promo2_week,promo2_year,promo_interval}'
WHERE task LIKE 'rossmann%';
INSERT INTO bench.published (task, scale, who, mase, rmsse, wape, smape, wql, bias) VALUES
  ('hospital', 12, 'Chronos-2 (GIFT-Eval)', 0.740, NULL, NULL, NULL, 0.0510, NULL),
  ('hospital', 12, 'TiRex (GIFT-Eval)', NULL, NULL, NULL, NULL, 0.0507, NULL),
  ('hospital', 12, 'aim', 0.740, NULL, NULL, NULL, 0.0495, NULL),
  ('carparts', 12, 'zero everywhere (Monash)', 0.746, 0.651, NULL, NULL, NULL, NULL),
  ('carparts', 12, 'TiDE (measured)', NULL, 0.637, NULL, NULL, NULL, NULL),
  ('carparts', 12, 'N-BEATS (measured)', NULL, NULL, NULL, NULL, 0.892, NULL),
  ('carparts', 12, 'aim', NULL, 0.630, NULL, NULL, 0.88, 0.05),
  ('m4_weekly', 52, 'N-BEATS (Monash)', 0.453, NULL, NULL, NULL, NULL, NULL),
  ('m4_weekly', 52, 'neural MLP (measured)', 0.430, NULL, NULL, NULL, NULL, NULL),
  ('m4_weekly', 52, 'aim', 0.41, NULL, NULL, NULL, NULL, NULL),
  ('m4_weekly', 1, 'TiRex (GIFT-Eval)', 1.990, NULL, NULL, NULL, NULL, NULL),
  ('m4_weekly', 1, 'N-BEATS (measured)', 1.96, NULL, NULL, NULL, NULL, NULL),
  ('m4_weekly', 1, 'aim', 1.93, NULL, NULL, NULL, NULL, NULL),
  ('m4_hourly', 24, 'Montero-Manso (M4)', 0.819, NULL, NULL, NULL, NULL, NULL),
  ('m4_hourly', 24, 'Smyl (M4)', NULL, NULL, NULL, 9.33, NULL, NULL),
  ('m4_hourly', 24, 'aim', 0.80, NULL, NULL, NULL, NULL, NULL),
  ('rossmann_weekly', 1, 'TabPFN-TS (fev-bench)', 0.304, NULL, NULL, NULL, 0.0659, NULL),
  ('rossmann_weekly', 1, 'aim', 0.30, NULL, NULL, NULL, NULL, NULL),
  ('rossmann_daily', 7, 'TabPFN-TS (fev-bench)', 0.301, NULL, 0.0998, NULL, 0.0794, NULL),
  ('rossmann_daily', 7, 'aim', 0.265, NULL, NULL, NULL, 0.071, NULL);
