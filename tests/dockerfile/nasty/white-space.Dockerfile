FROM	alpineASx
RUNtruefalse
 	
