/* ROW(NAME): technique_NAME, in bench/techniques/NAME.c. The order of the table. */
ROW(ptq)
ROW(qat)
