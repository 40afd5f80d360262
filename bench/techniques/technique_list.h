/* ROW(NAME): technique_NAME, in bench/techniques/NAME.c. The order of the table. */
ROW(ptq)
ROW(mse)
ROW(cle)
ROW(smoothquant)
ROW(awq)
ROW(bias_correction)
ROW(mixed)
ROW(qat)
